//! What becomes of a card: chosen by its number.

/// A row of the table of cards.
#[derive(Debug)]
pub struct Card {
    /// Its number, without spaces.
    pub number: &'static str,
    /// What its payment method is called, where a number is not wanted.
    pub token: &'static str,
    /// What happens, in a few words.
    pub reading: &'static str,
    pub(super) verdict: Verdict,
    pub(super) news: News,
    pub(super) refund: Refund,
}

/// What the issuer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Paid,
    Declined(&'static Decline),
    /// The holder is to be asked first.
    Action,
    /// Paid, but only after a while.
    Processing,
    /// Declined, tried once more by the gateway itself, and paid.
    SecondTry,
    /// Paid, but not the whole amount.
    Short,
}

/// Why a card is declined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    /// Empty where there is none.
    pub(super) decline_code: &'static str,
    pub(super) message: &'static str,
}

/// How the shop hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    AtOnce,
    Late,
    Twice,
    /// Before the answer to whoever confirmed.
    First,
    Never,
    /// The last event first.
    Backwards,
}

/// What becomes of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refund {
    Done,
    /// Pending at first.
    Pending,
    /// Done at first, and failed after a while.
    Fails,
}

pub(super) const DECLINED: Decline =
    Decline { code: "card_declined", decline_code: "generic_decline", message: "Your card was declined." };
const INSUFFICIENT: Decline = Decline {
    code: "card_declined",
    decline_code: "insufficient_funds",
    message: "Your card has insufficient funds.",
};
const EXPIRED: Decline =
    Decline { code: "expired_card", decline_code: "expired_card", message: "Your card has expired." };
const WRONG_CVC: Decline = Decline {
    code: "incorrect_cvc",
    decline_code: "incorrect_cvc",
    message: "Your card's security code is incorrect.",
};
pub(super) const PROCESSING_ERROR: Decline = Decline {
    code: "processing_error",
    decline_code: "processing_error",
    message: "An error occurred while processing your card. Try again in a little bit.",
};
/// Not in the table: a card that might be somebody's.
pub(super) const REAL_CARD: Decline = Decline {
    code: "card_declined",
    decline_code: "test_mode_live_card",
    message: "Your card was declined: the sandbox takes the cards of its table alone.",
};
/// Not a number at all.
pub(super) const NO_CARD: Decline = Decline {
    code: "incorrect_number",
    decline_code: "incorrect_number",
    message: "Your card number is incorrect.",
};
/// The holder said no, or could not be asked.
pub(super) const UNAUTHENTICATED: Decline = Decline {
    code: "payment_intent_authentication_failure",
    decline_code: "",
    message: "The holder of the card did not authenticate the payment.",
};

const fn card(number: &'static str, token: &'static str, reading: &'static str, verdict: Verdict) -> Card {
    Card { number, token, reading, verdict, news: News::AtOnce, refund: Refund::Done }
}

const fn told(number: &'static str, token: &'static str, reading: &'static str, news: News) -> Card {
    Card { news, ..card(number, token, reading, Verdict::Paid) }
}

/// The table of cards.
pub static CARDS: [Card; 17] = [
    card("4242424242424242", "pm_card_visa", "paid", Verdict::Paid),
    card("4000000000000002", "pm_card_chargeDeclined", "declined", Verdict::Declined(&DECLINED)),
    card(
        "4000000000009995",
        "pm_card_chargeDeclinedInsufficientFunds",
        "declined: insufficient funds",
        Verdict::Declined(&INSUFFICIENT),
    ),
    card(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        "declined: expired",
        Verdict::Declined(&EXPIRED),
    ),
    card(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        "declined: wrong security code",
        Verdict::Declined(&WRONG_CVC),
    ),
    card(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        "declined: an error while processing",
        Verdict::Declined(&PROCESSING_ERROR),
    ),
    card(
        "4000000000003184",
        "pm_card_authenticationRequired",
        "needs action: its holder approves or declines on a page",
        Verdict::Action,
    ),
    card(
        "4000000088000015",
        "pm_card_processing",
        "`processing` for two seconds, then paid",
        Verdict::Processing,
    ),
    told("4000000088000023", "pm_card_lateEvent", "paid; the event is ten seconds late", News::Late),
    told("4000000088000031", "pm_card_doubleEvent", "paid; the event comes twice", News::Twice),
    told("4000000088000049", "pm_card_earlyEvent", "paid; the event comes before the answer", News::First),
    told("4000000088000056", "pm_card_lostEvent", "paid; the event never comes", News::Never),
    Card {
        news: News::Backwards,
        ..card(
            "4000000088000064",
            "pm_card_disorderedEvents",
            "fails, is tried again and paid; the events come the wrong way round",
            Verdict::SecondTry,
        )
    },
    card(
        "4000000088000072",
        "pm_card_shortAmount",
        "paid, but one unit less than was asked for",
        Verdict::Short,
    ),
    card("4000000088000080", "pm_card_failedEvent", "fails, is tried again and paid", Verdict::SecondTry),
    Card {
        refund: Refund::Pending,
        ..card(
            "4000000000007726",
            "pm_card_pendingRefund",
            "paid; a refund is pending for two seconds",
            Verdict::Paid,
        )
    },
    Card {
        refund: Refund::Fails,
        ..card(
            "4000000000005126",
            "pm_card_refundFail",
            "paid; a refund succeeds, and fails two seconds later",
            Verdict::Paid,
        )
    },
];

impl Card {
    /// By number, spaces aside.
    ///
    /// # Errors
    /// Why a card that is not in the table is declined.
    pub(super) fn by_number(number: &str) -> Result<&'static Self, &'static Decline> {
        let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
        let known = CARDS.iter().find(|card| card.number == digits);
        known.ok_or(if is_card_number(&digits) { &REAL_CARD } else { &NO_CARD })
    }

    /// By the name of its payment method.
    pub(super) fn by_token(token: &str) -> Option<&'static Self> {
        CARDS.iter().find(|card| card.token == token)
    }

    pub(super) fn last4(&self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }
}

/// Luhn's check over 12 to 19 digits.
fn is_card_number(digits: &str) -> bool {
    let value = |(at, byte): (usize, u8)| {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    };
    (12..=19).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.bytes().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_has_a_number_and_a_name_of_its_own() {
        for card in &CARDS {
            assert!(std::ptr::eq(Card::by_number(card.number).unwrap(), card), "{}", card.number);
            assert!(std::ptr::eq(Card::by_token(card.token).unwrap(), card), "{}", card.token);
            // This one is well known for it, and no number that Luhn would take.
            assert!(is_card_number(card.number) || card.number.ends_with("3184"), "{}", card.number);
        }
        assert_eq!(Card::by_number("4242 4242 4242 4242").unwrap().last4(), "4242");
        assert_eq!(Card::by_number("5555555555554444").unwrap_err(), &REAL_CARD);
        assert_eq!(Card::by_number("4242424242424241").unwrap_err(), &NO_CARD);
        assert_eq!(Card::by_number("12").unwrap_err(), &NO_CARD);
    }
}
