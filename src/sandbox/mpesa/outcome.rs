//! What happens to a prompt: chosen by the last two digits of the telephone's number.

use super::super::fault::Loss;

/// A row of the table of telephone numbers.
#[derive(Debug)]
pub struct Number {
    /// The last two digits; empty for all that are not in the table.
    pub digits: &'static str,
    /// What happens, in a few words.
    pub reading: &'static str,
    pub(super) answer: Answer,
    pub(super) steps: &'static [Step],
    pub(super) pending: Pending,
    pub(super) reversal: Reversal,
}

/// How the push is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    /// Only once all its steps are done.
    AfterSteps,
    /// Another prompt is on that telephone: nothing is accepted.
    Locked,
    /// Nothing is accepted, and nobody knows why.
    Broken,
    /// It is accepted, and the shop does not hear it.
    Lost(Loss),
}

/// What follows, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No longer than a breath, so that the answer to the push comes first.
    Breathe,
    /// As long as people take.
    Wait,
    /// Much longer than that.
    WaitLong,
    /// This result holds from now on. 0 is paid.
    Decide(u32),
    /// Paid, but not the amount that was asked for.
    DecideShort,
    /// Tells the result to the shop.
    Call,
    /// A person decides on the page; who does not lets it expire.
    Ask,
}

/// How a query is answered while nothing is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// With the error 500.001.1001.
    Error,
    /// With an answer whose result is 4999.
    Code,
}

/// What comes of a reversal of a payment by this telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reversal {
    Done,
    Refused,
    Twice,
    Silent,
    TimedOut,
}

use Step::{Ask, Breathe, Call, Decide, DecideShort, Wait, WaitLong};

const fn number(digits: &'static str, reading: &'static str, steps: &'static [Step]) -> Number {
    let (answer, pending, reversal) = (Answer::Accepted, Pending::Error, Reversal::Done);
    Number { digits, reading, answer, steps, pending, reversal }
}

const fn answered(number: Number, answer: Answer) -> Number {
    Number { answer, ..number }
}

const fn reversed(digits: &'static str, reading: &'static str, reversal: Reversal) -> Number {
    Number { reversal, ..number(digits, reading, &PAID_AT_ONCE) }
}

const PAID: [Step; 3] = [Wait, Decide(0), Call];
const PAID_AT_ONCE: [Step; 3] = [Breathe, Decide(0), Call];

/// The table of telephone numbers. The last row is everybody else.
pub static NUMBERS: [Number; 26] = [
    number("00", "paid at once", &PAID_AT_ONCE),
    number("01", "the balance is insufficient (1)", &[Wait, Decide(1), Call]),
    number("17", "refused by a rule, as a repetition is (17)", &[Wait, Decide(17), Call]),
    number("19", "the prompt expired (1019)", &[Wait, Decide(1019), Call]),
    number("20", "a wrong PIN (2001)", &[Wait, Decide(2001), Call]),
    answered(
        number("26", "the push is refused: another prompt is on the telephone (500.001.1001)", &[]),
        Answer::Locked,
    ),
    number("32", "cancelled by the user (1032)", &[Wait, Decide(1032), Call]),
    number("37", "the telephone cannot be reached (1037)", &[Wait, Decide(1037), Call]),
    number("40", "paid; the callback is ten seconds late", &[Wait, Decide(0), WaitLong, Call]),
    number("41", "paid; the callback comes twice", &[Wait, Decide(0), Call, Call]),
    answered(
        number("42", "paid; the callback comes before the answer to the push", &[Decide(0), Call]),
        Answer::AfterSteps,
    ),
    number("43", "paid; the callback never comes", &[Wait, Decide(0)]),
    number(
        "44",
        "a callback that it failed (1037), then one that it is paid",
        &[Wait, Decide(1037), Call, Wait, Decide(0), Call],
    ),
    number("45", "nothing is ever decided, and no callback comes", &[]),
    number(
        "46",
        "paid, but one shilling less than was asked for (of one: one more)",
        &[Wait, DecideShort, Call],
    ),
    Number {
        pending: Pending::Code,
        ..number(
            "49",
            "paid; until then queries are answered with the result 4999",
            &[WaitLong, Decide(0), Call],
        )
    },
    answered(number("50", "paid; the push was answered 500", &PAID), Answer::Lost(Loss::Error)),
    answered(number("51", "paid; the push's connection was cut", &PAID), Answer::Lost(Loss::Cut)),
    answered(number("52", "paid; the push is never answered", &PAID), Answer::Lost(Loss::Hang)),
    answered(number("53", "the push is answered 500, and nothing was accepted", &[]), Answer::Broken),
    reversed("70", "paid at once; a reversal is refused (11)", Reversal::Refused),
    reversed("71", "paid at once; a reversal's result comes twice", Reversal::Twice),
    reversed("72", "paid at once; a reversal is done, its result never comes", Reversal::Silent),
    reversed(
        "73",
        "paid at once; a reversal ends in the queue's time-out, nothing is reversed",
        Reversal::TimedOut,
    ),
    number("99", "a person decides on the sandbox's page, within five minutes", &[Ask, Call]),
    number("", "paid after two seconds", &PAID),
];

impl Number {
    /// The row of a telephone.
    pub(super) fn of(phone: &str) -> &'static Self {
        let everybody = &NUMBERS[NUMBERS.len() - 1];
        NUMBERS.iter().find(|number| phone.ends_with(number.digits)).unwrap_or(everybody)
    }
}

/// What Daraja says of a result.
pub(super) fn result_text(code: u32) -> &'static str {
    match code {
        0 => "The service request is processed successfully.",
        1 => "The balance is insufficient for the transaction.",
        11 => "The DebitParty is in an invalid state.",
        17 => "Rule limited.",
        26 => "Traffic blocking condition is in place.",
        1019 => "Transaction has expired.",
        1032 => "Request cancelled by user",
        1037 => "DS timeout user cannot be reached",
        2001 => "The initiator information is invalid.",
        _ => "Unresolved reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_row() {
        for (at, number) in NUMBERS.iter().enumerate() {
            let found = Number::of(&format!("2547000000{}", number.digits));
            let everybody = at + 1 == NUMBERS.len();
            assert!(std::ptr::eq(found, number) || everybody, "{}", number.digits);
            assert_eq!(number.digits.is_empty(), everybody);
        }
        assert_eq!(Number::of("254712345678").digits, "");
    }
}
