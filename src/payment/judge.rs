//! What news make of an attempt, and whether a result is that of a refund: the one place that decides whether money
//! counts.

use super::{
    gateway::{News, Word, mpesa::callback::Reversal},
    model::{Payment, Refund, RefundStatus, Status},
};
use crate::money::Amount;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It moves on.
    Become(Status),
    /// It stays; names that were told are kept.
    Keep,
    /// It stays, for a person to look at: why, and what was received that was not asked for.
    Flag(String, Option<(Amount, String)>),
    /// It stays, and nothing of this is kept.
    Ignore,
}

/// Judges news of an attempt. Money counts when it is as much, in the currency and under the names that were asked
/// for; otherwise it pays nothing, and is for a person to see.
pub(super) fn judge(payment: &Payment, news: &News) -> Verdict {
    if !news.names.agree(&payment.names) {
        return match news.word {
            Word::Succeeded => {
                Verdict::Flag("The gateway reports it paid under another name than before.".to_owned(), None)
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
    let is_flagged = payment.received.is_some() || payment.attention.is_some();
    let Some((amount, currency)) = &news.paid else {
        // What was flagged for its amount is not accepted because somebody else does not mention it.
        let is_open = !is_flagged || payment.received.is_none() && payment.status == Status::Failed;
        return if is_open { Ok(()) } else { Err(Verdict::Keep) };
    };
    let currency = currency.as_ref().unwrap_or(&payment.currency);
    let told = Some((*amount, currency.clone()));
    if told == payment.received {
        return Err(Verdict::Keep);
    }
    if payment.received.is_some() && payment.refunded_amount > Amount::ZERO {
        let why = "The gateway reports another amount paid than the one that has begun to go back.";
        return Err(Verdict::Flag(why.to_owned(), None));
    }
    if *amount == payment.amount && *currency == payment.currency {
        return Ok(());
    }
    let (asked, own) = (payment.amount, &payment.currency);
    let why = format!("The gateway reports {amount} {currency} paid, and {asked} {own} were asked for.");
    Err(Verdict::Flag(why, told.filter(|_| *amount > Amount::ZERO && payment.status != Status::Succeeded)))
}

/// What is made of a reversal's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Believed {
    /// It is the refund's.
    Yes,
    /// It may be, but nobody knows yet how the gateway calls the refund.
    NotYet,
    /// It is not the refund's.
    No,
}

/// Whether a result is that of this refund of this payment. It must name both names under which the request was
/// accepted. That money went back is believed of as much of the same receipt; that says enough when the request was
/// never answered, so that there are no names.
pub(super) fn believe(refund: &Refund, payment: &Payment, told: &Reversal) -> Believed {
    let same = |known: &Option<String>, told: &Option<String>| known.is_none() || known == told;
    let is_named = refund.gateway_refund_id.is_some();
    let fits = same(&refund.gateway_refund_id, &told.news.gateway_refund_id)
        && same(&refund.gateway_request_id, &told.news.gateway_request_id);
    if !fits {
        return Believed::No;
    }
    match &told.moved {
        Some((amount, receipt)) => {
            let is_all = *amount == refund.amount && Some(receipt) == payment.names.transaction_id.as_ref();
            if is_all { Believed::Yes } else { Believed::No }
        }
        None if told.news.status == RefundStatus::Succeeded && !told.had_been => Believed::No,
        None if is_named => Believed::Yes,
        None => Believed::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{
        money::Amount,
        order::model::PaymentMethod,
        payment::{gateway::RefundNews, model::Names},
    };

    fn payment(status: Status) -> Payment {
        Payment {
            id: 1,
            order_id: 1,
            order_number: "A".into(),
            is_wanted: true,
            method: PaymentMethod::Card,
            status,
            amount: Amount::from_hundredths(1250),
            received: None,
            refunded_amount: Amount::ZERO,
            currency: "USD".into(),
            phone_number: None,
            names: Names { transaction_id: Some("pi_1".into()), ..Names::default() },
            gateway_key: "k".into(),
            client_secret: None,
            result_code: None,
            result_description: None,
            attention: None,
            is_abandoned: false,
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
            for (hundredths, currency) in [(1249, "USD"), (1251, "USD"), (1250, "KES")] {
                let told = Some((Amount::from_hundredths(hundredths), currency.to_owned()));
                match judge(&payment, &paid(hundredths, currency)) {
                    Verdict::Flag(_, received) => assert_eq!(received, told, "it can go back"),
                    other => panic!("{other:?}"),
                }
            }
            assert!(matches!(judge(&payment, &paid(0, "USD")), Verdict::Flag(_, None)));
            let mut named = paid(1250, "USD");
            named.names.transaction_id = Some("pi_2".into());
            assert!(matches!(judge(&payment, &named), Verdict::Flag(_, None)));
        }
        assert_eq!(judge(&payment(Status::Succeeded), &paid(1250, "USD")), Verdict::Keep);
        assert!(matches!(judge(&payment(Status::Succeeded), &paid(1, "USD")), Verdict::Flag(_, None)));
    }

    #[test]
    fn what_came_in_otherwise_is_told_once_and_pays_nothing_once_it_goes_back() {
        let mut payment = payment(Status::Failed);
        payment.received = Some((Amount::from_hundredths(1249), "USD".into()));
        assert_eq!(judge(&payment, &paid(1249, "USD")), Verdict::Keep);
        assert_eq!(judge(&payment, &News::new(Word::Succeeded)), Verdict::Keep);
        assert_eq!(judge(&payment, &paid(1250, "USD")), Verdict::Become(Status::Succeeded));
        payment.refunded_amount = Amount::from_hundredths(1249);
        assert_eq!(judge(&payment, &paid(1249, "USD")), Verdict::Keep);
        assert!(matches!(judge(&payment, &paid(1250, "USD")), Verdict::Flag(_, None)));
    }

    #[test]
    fn a_result_is_believed_of_the_refund_that_it_names() {
        let mut payment = payment(Status::Succeeded);
        payment.names.transaction_id = Some("RECEIPT".into());
        let refund = |names: Option<(&str, &str)>| Refund {
            id: 1,
            payment_id: 1,
            order_id: 1,
            amount: Amount::from_hundredths(700),
            currency: "KES".into(),
            status: RefundStatus::Processing,
            reason: "r".into(),
            gateway_key: "k".into(),
            gateway_refund_id: names.map(|(refund, _)| refund.to_owned()),
            gateway_request_id: names.map(|(_, request)| request.to_owned()),
            error: None,
            checks: 0,
            created_at: OffsetDateTime::UNIX_EPOCH,
            sent_at: None,
            finished_at: None,
        };
        let told = |names: (&str, &str), moved: Option<(i64, &str)>, had_been| {
            let is_done = moved.is_some() || had_been;
            let mut news =
                RefundNews::new(if is_done { RefundStatus::Succeeded } else { RefundStatus::Failed });
            news.gateway_refund_id = Some(names.0.to_owned());
            news.gateway_request_id = Some(names.1.to_owned());
            let moved = moved.map(|(amount, receipt)| (Amount::from_hundredths(amount), receipt.to_owned()));
            Reversal { news, moved, had_been }
        };
        let (named, nameless) = (refund(Some(("AG_1", "o-1"))), refund(None));
        let (right, done) = (("AG_1", "o-1"), Some((700, "RECEIPT")));
        let is = |refund: &Refund, told: &Reversal| believe(refund, &payment, told);
        assert_eq!(is(&named, &told(right, done, false)), Believed::Yes);
        assert_eq!(is(&nameless, &told(right, done, false)), Believed::Yes, "the request's answer was lost");
        for wrong in [
            told(("AG_2", "o-1"), done, false),
            told(("AG_1", "o-2"), done, false),
            told(right, Some((699, "RECEIPT")), false),
            told(right, Some((1700, "RECEIPT")), false),
            told(right, Some((700, "ANOTHER")), false),
        ] {
            assert_eq!(is(&named, &wrong), Believed::No, "{wrong:?}");
        }
        let mut silent = told(right, None, false);
        silent.news.status = RefundStatus::Succeeded;
        assert_eq!(is(&named, &silent), Believed::No, "it does not say what went back");
        for without in [told(right, None, false), told(right, None, true)] {
            assert_eq!(is(&named, &without), Believed::Yes);
            assert_eq!(is(&nameless, &without), Believed::NotYet);
        }
    }

    /// All sequences of up to five events, repetitions among them, with the gateway's answer at each place: one end, and
    /// money counts once.
    #[test]
    fn news_in_any_order_end_alike() {
        let kinds = [Word::Failed, Word::Cancelled, Word::Succeeded];
        let mut tried = 0;
        for length in 1..=5_u32 {
            for number in 0..3_usize.pow(length) {
                let events: Vec<usize> = (0..length).map(|at| number / 3_usize.pow(at) % 3).collect();
                for answer_at in 0..=events.len() {
                    let end =
                        [Status::Failed, Status::Cancelled, Status::Succeeded][*events.iter().max().unwrap()];
                    let mut words: Vec<Word> = events.iter().map(|kind| kinds[*kind]).collect();
                    words.insert(answer_at, Word::Processing);
                    let (mut payment, mut captures) = (payment(Status::Pending), 0);
                    payment.names = Names::default();
                    for word in words {
                        let mut news =
                            if word == Word::Succeeded { paid(1250, "USD") } else { News::new(word) };
                        news.names.transaction_id = Some("pi_1".into());
                        match judge(&payment, &news) {
                            Verdict::Become(status) => {
                                payment.status = status;
                                captures += u32::from(status == Status::Succeeded);
                            }
                            Verdict::Keep => {}
                            other => panic!("{other:?}"),
                        }
                        payment.names = news.names;
                    }
                    let paid = u32::from(end == Status::Succeeded);
                    assert_eq!((payment.status, captures), (end, paid), "{events:?} {answer_at}");
                    tried += 1;
                }
            }
        }
        assert_eq!(tried, 3 * 2 + 9 * 3 + 27 * 4 + 81 * 5 + 243 * 6);
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
