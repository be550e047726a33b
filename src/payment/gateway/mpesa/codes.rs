//! What M-Pesa's result codes mean for whoever wanted to pay.

/// A code for people; `said` is M-Pesa's own sentence, for codes that are not known here.
pub(super) fn reading(code: &str, said: &str) -> String {
    let known = match code {
        "0" => "Paid.",
        "1" => "There is not enough money in the M-Pesa account.",
        "2" => "The amount is below what M-Pesa moves.",
        "3" => "The amount is above what M-Pesa moves at a time.",
        "4" => "The amount is above the day's limit of the M-Pesa account.",
        "8" => "The shop's account cannot take more money at the moment.",
        "17" => "M-Pesa has just had the same payment; wait a few minutes and try again.",
        "26" => "M-Pesa is busy; try again in a moment.",
        "1001" => "The phone is in another M-Pesa session; end that one and try again.",
        "1019" => "The request has expired before the PIN was entered.",
        "1025" | "9999" => "M-Pesa could not send the request to the phone; try again.",
        "1032" => "Cancelled on the phone.",
        "1037" => "The phone could not be reached, or nobody answered; check that it is on and try again.",
        "2001" => "The PIN was wrong.",
        "2028" => "The shop may not ask this phone for money.",
        _ => "",
    };
    match (known, said.trim()) {
        ("", "") => "M-Pesa refused it.".to_owned(),
        ("", said) => said.to_owned(),
        (known, _) => known.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_whether_or_not_it_is_known() {
        assert_eq!(reading("2001", "The initiator information is invalid."), "The PIN was wrong.");
        assert_eq!(reading("31415", "Something new."), "Something new.");
        assert_eq!(reading("31415", " "), "M-Pesa refused it.");
    }
}
