//! What random shoppers type, and how random shops tune their search.

use duka_index::{Settings, Synonym, Weights};

use crate::catalog::{Dice, SLIPS, WORDS};

/// Texts that are signs, codes or syntax.
const ODD: &[&str] = &[
    "!? -- \"",
    "NOT (red AND blue)",
    "(\"red",
    "\"red\" \"",
    "-",
    "- -",
    "--red",
    "27\" -\"",
    "abc-1",
    "ABC 2",
    "no 7 б",
    "95205603217",
    "0095205603217",
    "0095205603217 charger",
    "PS4",
    "12\"",
    "4\" -x",
    "ab-c",
    "v-12",
    "playstation 4",
    "”shoe“ „red shoe“",
    "name:shoe^2 [a TO b] *",
    "",
    " ",
];

/// Words beside those of the catalog: other forms, other spellings, words that nobody has.
const TYPED: &[&str] = &[
    "ps4",
    "PS",
    "4",
    "tshirt",
    "t-shirt",
    "notebooks",
    "runner",
    "runs",
    "charging",
    "usbc",
    "usb-c",
    "usb",
    "kifarus",
    "adida",
    "powerbanks",
    "banked",
    "zzz",
    "qqqqq",
    "xylophones",
    "for",
    "the",
    "and",
    "with",
    "½",
    "12",
    "1",
    "a",
    "kettl",
    "stainles",
    "shoebox",
    "keyboards",
    "12 inch",
    "2 in",
    "10 inches",
    "inch",
    "12\"",
    "10in",
    "4\"",
    "3.50-inch",
    "x 02''",
    "c++",
    "C#",
    "R&D",
    "rd",
    "abc-",
    "v-1",
    "playstaton 4",
    "snekers",
    "headphone",
    "PS4",
];

pub(crate) fn text(dice: &mut Dice) -> String {
    if dice.one_in(10) {
        return (*dice.pick(ODD)).to_owned();
    }
    let parts: Vec<String> = (0..=dice.below(3)).map(|_| part(dice)).collect();
    parts.join(*dice.pick(&[" ", " ", " ", " ", " ", "  ", "-", "\u{a0}"]))
}

/// A text whose reading depends on nothing but the documents that it matches, however others are kept.
pub(crate) fn literal_text(dice: &mut Dice) -> String {
    let quoted = |dice: &mut Dice| format!("\"{}\"", words(dice, 2));
    let part = |dice: &mut Dice| match dice.below(3) {
        0 => format!("-{}", quoted(dice)),
        1 => format!("-{}", dice.pick(WORDS)),
        _ => quoted(dice),
    };
    (0..=dice.below(2)).map(|_| part(dice)).collect::<Vec<_>>().join(" ")
}

fn words(dice: &mut Dice, at_most: usize) -> String {
    let words: Vec<&str> = (0..=dice.below(at_most)).map(|_| *dice.pick(WORDS)).collect();
    words.join(" ")
}

fn part(dice: &mut Dice) -> String {
    match dice.below(19) {
        0 => format!("\"{}\"", words(dice, 3)),
        1 => format!("-{}", dice.pick(WORDS)),
        2 => format!("-\"{}\"", words(dice, 2)),
        3..=5 => (*dice.pick(TYPED)).to_owned(),
        6..=8 => misspelt(dice),
        9 => {
            let word: Vec<char> = dice.pick(WORDS).chars().collect();
            word[..=dice.below(word.len())].iter().collect()
        }
        10 => words(dice, 2).replace(' ', ""),
        11 => format!("{}s", dice.pick(WORDS)),
        12..=14 => (*dice.pick(SLIPS)).to_owned(),
        _ => (*dice.pick(WORDS)).to_owned(),
    }
}

/// One or two slips.
fn misspelt(dice: &mut Dice) -> String {
    let mut word: Vec<char> = dice.pick(WORDS).chars().collect();
    for _ in 0..=dice.below(2) {
        let at = dice.below(word.len());
        match dice.below(4) {
            0 if word.len() > 1 => drop(word.remove(at)),
            1 => word.insert(at, *dice.pick(&['e', 's', 'x'])),
            2 if at > 0 => word.swap(at - 1, at),
            _ => word[at] = *dice.pick(&['a', 'o', 'z']),
        }
    }
    word.into_iter().collect()
}

pub(crate) fn settings(dice: &mut Dice) -> Settings {
    if dice.one_in(3) {
        return Settings::default();
    }
    let phrase = |dice: &mut Dice| {
        let known = ["playstation 4", "ps4", "usb-c", "usbc", "power bank", "mobile charger", "sneakers"];
        if dice.one_in(2) { (*dice.pick(&known)).to_owned() } else { words(dice, 2) }
    };
    let rule = |dice: &mut Dice| {
        let phrases: Vec<String> = (0..2 + dice.below(2)).map(|_| phrase(dice)).collect();
        if dice.one_in(2) {
            Synonym::TwoWay { phrases }
        } else {
            Synonym::OneWay { from: phrases[0].clone(), to: phrases[1..].to_vec() }
        }
    };
    let mut settings =
        Settings { synonyms: (0..dice.below(6)).map(|_| rule(dice)).collect(), ..Settings::default() };
    if dice.one_in(3) {
        settings.stop_words = ["red", "shoe", "a", "Größe"].into_iter().map(str::to_owned).collect();
    }
    if dice.one_in(3) {
        let weight = |dice: &mut Dice| *dice.pick(&[0.0, 0.5, 1.0, 10.0, 100.0]);
        settings.weights = Weights { name: weight(dice), brand: weight(dice), ..settings.weights };
        settings.weights.description = weight(dice);
    }
    settings
}
