//! What news make of an attempt: the one place that decides whether money counts.

use super::{
    gateway::{News, Word},
    model::{Payment, Status},
};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It moves on.
    Become(Status),
    /// It stays; names that were told are kept.
    Keep,
    /// It stays, for a person to look at.
    Flag(String),
    /// It stays, and nothing of this is kept.
    Ignore,
}

/// Judges news of an attempt. Money counts when it is as much, in the currency and under the names that were asked
/// for; otherwise it is for a person to see.
pub(super) fn judge(payment: &Payment, news: &News) -> Verdict {
    if !news.names.agree(&payment.names) {
        return match news.word {
            Word::Succeeded => {
                Verdict::Flag("The gateway reports it paid under another name than before.".to_owned())
            }
            _ => Verdict::Ignore,
        };
    }
    let next = match news.word {
        Word::Processing => Status::Processing,
        Word::Failed | Word::Nameless => Status::Failed,
        Word::Cancelled => Status::Cancelled,
        Word::Unknown => Status::Unknown,
        Word::Succeeded => match is_enough(payment, news) {
            Ok(()) => Status::Succeeded,
            Err(verdict) => return verdict,
        },
    };
    if payment.status.may_become(next) { Verdict::Become(next) } else { Verdict::Keep }
}

fn is_enough(payment: &Payment, news: &News) -> Result<(), Verdict> {
    let Some((amount, currency)) = &news.paid else {
        // What was flagged for its amount is not accepted because somebody else does not mention it.
        return if payment.attention.is_none() || payment.status == Status::Failed {
            Ok(())
        } else {
            Err(Verdict::Keep)
        };
    };
    let currency = currency.as_ref().unwrap_or(&payment.currency);
    if *amount == payment.amount && *currency == payment.currency {
        return Ok(());
    }
    let (asked, own) = (payment.amount, &payment.currency);
    Err(Verdict::Flag(format!(
        "The gateway reports {amount} {currency} paid, and {asked} {own} were asked for."
    )))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{money::Amount, order::model::PaymentMethod, payment::model::Names};

    fn payment(status: Status) -> Payment {
        Payment {
            id: 1,
            order_id: 1,
            order_number: "A".into(),
            is_wanted: true,
            method: PaymentMethod::Card,
            status,
            amount: Amount::from_hundredths(1250),
            refunded_amount: Amount::ZERO,
            currency: "USD".into(),
            phone_number: None,
            names: Names { transaction_id: Some("pi_1".into()), ..Names::default() },
            gateway_key: "k".into(),
            client_secret: None,
            result_code: None,
            result_description: None,
            attention: None,
            checks: 0,
            paid_at: None,
            payment_date: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn paid(hundredths: i64, currency: &str) -> News {
        let paid = Some((Amount::from_hundredths(hundredths), Some(currency.to_owned())));
        News { paid, ..News::new(Word::Succeeded) }
    }

    #[test]
    fn money_counts_when_it_is_what_was_asked_for() {
        for status in
            [Status::Pending, Status::Processing, Status::Unknown, Status::Failed, Status::Cancelled]
        {
            let payment = payment(status);
            assert_eq!(judge(&payment, &paid(1250, "USD")), Verdict::Become(Status::Succeeded));
            assert_eq!(judge(&payment, &News::new(Word::Succeeded)), Verdict::Become(Status::Succeeded));
            for wrong in [paid(1249, "USD"), paid(1251, "USD"), paid(1250, "KES"), paid(0, "USD")] {
                assert!(matches!(judge(&payment, &wrong), Verdict::Flag(_)), "{wrong:?}");
            }
            let mut named = paid(1250, "USD");
            named.names.transaction_id = Some("pi_2".into());
            assert!(matches!(judge(&payment, &named), Verdict::Flag(_)));
        }
        assert_eq!(judge(&payment(Status::Succeeded), &paid(1250, "USD")), Verdict::Keep);
        assert!(matches!(judge(&payment(Status::Succeeded), &paid(1, "USD")), Verdict::Flag(_)));
    }

    #[test]
    fn what_was_flagged_is_not_accepted_by_the_way() {
        let mut payment = payment(Status::Unknown);
        payment.attention = Some("The amount differs.".into());
        assert_eq!(judge(&payment, &News::new(Word::Succeeded)), Verdict::Keep);
        assert_eq!(judge(&payment, &paid(1250, "USD")), Verdict::Become(Status::Succeeded));
        assert_eq!(judge(&payment, &News::new(Word::Failed)), Verdict::Become(Status::Failed));
    }

    #[test]
    fn news_of_something_else_change_nothing() {
        let mut other = News::new(Word::Cancelled);
        other.names.transaction_id = Some("pi_2".into());
        assert_eq!(judge(&payment(Status::Processing), &other), Verdict::Ignore);
    }
}
