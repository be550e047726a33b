//! The words about a product: its name and some sixty words of description.

use std::fmt::Write as _;

use super::{
    Place,
    dice::{Dice, Zipf},
};

/// How descriptions begin. Products are named in the plural only, so that every noun fits.
const OPENINGS: [&str; 7] = [
    "{Adjective} and {other}, the {brand} {line} is made for {use}. ",
    "Among our {shelf}, the {brand} {line} stands out as the {adjective} choice for {use}. ",
    "{brand} designed the {line} range with {use} in mind and kept it {adjective}. ",
    "With {line}, {brand} brings {adjective} {shelf} to {use}. ",
    "A favourite for {use}, the {brand} {line} is {adjective} and {other} in equal measure. ",
    "{noun} by {brand}: {adjective}, {other} and ready for {use}. ",
    "If {use} set the standard, the {adjective} {line} series by {brand} meets it. ",
];

/// The parts of a name, from which the description is made too.
pub(super) struct Blurb<'a> {
    place: Place<'a>,
    brand: &'a str,
    line: &'a str,
    noun: &'a str,
}

impl<'a> Blurb<'a> {
    pub(super) fn draw(dice: &mut Dice, zipf: &Zipf, place: Place<'a>) -> Self {
        let department = place.department;
        let rank = zipf.rank(dice, department.brands.len(), 0);
        // A brand has five of the department's lines.
        let line = (rank * 5 + zipf.rank(dice, 5, 0)) % department.lines.len();
        let noun = zipf.pick(dice, &place.shelf.nouns);
        Self { place, brand: department.brands[rank], line: department.lines[line], noun }
    }

    pub(super) fn brand(&self) -> &'a str {
        self.brand
    }

    /// `Auralis Aria Wireless Headphones X500 Black`; `option` may be empty.
    pub(super) fn name(&self, dice: &mut Dice, option: &str) -> String {
        let mut name = String::with_capacity(96);
        for part in [self.brand, self.line, self.noun] {
            push_word(&mut name, part);
        }
        if let Some(model) = dice.pick(&self.place.department.models).filter(|model| *model != "-") {
            name.push(' ');
            push_model(&mut name, dice, model);
        }
        // "Single" says nothing in a name.
        push_word(&mut name, if option == "Single" { "" } else { option });
        name
    }

    /// An opening, two features, the material, a closing, the weight and the warranty.
    pub(super) fn description(
        &self,
        dice: &mut Dice,
        zipf: &Zipf,
        material: &str,
        grams: i64,
        months: Option<i64>,
    ) -> String {
        let Place { department, shelf, .. } = self.place;
        let mut text = String::with_capacity(640);
        let purpose = zipf.pick(dice, &department.uses);
        let first = zipf.rank(dice, department.adjectives.len(), 0);
        let other = department.adjectives[(first + 1 + zipf.rank(dice, 6, 0)) % department.adjectives.len()];
        let opening = zipf.pick(dice, &OPENINGS);
        fill(&mut text, opening, |text, word| match word {
            "Adjective" => capitalised(text, department.adjectives[first]),
            "adjective" => text.push_str(department.adjectives[first]),
            "other" => text.push_str(other),
            "brand" => text.push_str(self.brand),
            "line" => text.push_str(self.line),
            "noun" => text.push_str(self.noun),
            "shelf" => spoken(text, shelf.name),
            _ => text.push_str(purpose),
        });
        let feature = zipf.rank(dice, shelf.features.len(), 2);
        let next = (feature + 1 + dice.below(shelf.features.len() - 1)) % shelf.features.len();
        for sentence in [shelf.features[feature], shelf.features[next], zipf.pick(dice, &department.making)] {
            fill(&mut text, sentence, |text, _| text.push_str(material));
            text.push_str(". ");
        }
        text.push_str(zipf.pick(dice, &department.closings));
        // Writing to a `String` does not fail.
        let _ = write!(text, ". One piece weighs about {grams} grams with its packaging.");
        if let Some(months) = months {
            let _ = write!(text, " The maker gives a warranty of {months} months.");
        }
        text
    }
}

fn push_word(name: &mut String, word: &str) {
    if !name.is_empty() && !word.is_empty() {
        name.push(' ');
    }
    name.push_str(word);
}

/// `#` becomes a digit, `@` a letter that no digit looks like.
fn push_model(name: &mut String, dice: &mut Dice, model: &str) {
    let mut leading = true;
    for c in model.chars() {
        name.push(match c {
            '#' => {
                let digits: &[u8] = if leading { b"123456789" } else { b"0123456789" };
                leading = false;
                dice.pick(digits).map_or('0', char::from)
            }
            '@' => dice.pick(b"ABCDEFGHJKLMNPRSTUVWXZ").map_or('X', char::from),
            c => c,
        });
    }
}

/// Writes the template with `put` for each `{word}`.
fn fill(text: &mut String, template: &str, put: impl Fn(&mut String, &str)) {
    let mut rest = template;
    while let Some((before, word, after)) = rest
        .split_once('{')
        .and_then(|(before, rest)| rest.split_once('}').map(|(word, after)| (before, word, after)))
    {
        text.push_str(before);
        put(text, word);
        rest = after;
    }
    text.push_str(rest);
}

fn capitalised(text: &mut String, word: &str) {
    let mut chars = word.chars();
    text.extend(chars.next().into_iter().flat_map(char::to_uppercase));
    text.push_str(chars.as_str());
}

/// A heading within a sentence: `LED Televisions` becomes `LED televisions`.
fn spoken(text: &mut String, heading: &str) {
    for (i, word) in heading.split(' ').enumerate() {
        if i > 0 {
            text.push(' ');
        }
        let is_acronym = word.chars().skip(1).any(|c| c.is_uppercase() || c.is_ascii_digit());
        if is_acronym { text.push_str(word) } else { text.extend(word.chars().flat_map(char::to_lowercase)) }
    }
}
