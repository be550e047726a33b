//! The departments, aisles and shelves of the corpus, read from `words/*.txt`.
//!
//! A line begins with its kind. Lists are separated by `|`, and where a list is drawn from by Zipf's law its
//! first items are the common ones. Items of an aisle's lists that begin with digits are true of those of its
//! five shelves only: `14 ...` of the first and the fourth.
//!
//! | line | holds |
//! |---|---|
//! | `department`, `code` | the root category, and what its SKUs begin with |
//! | `brands`, `lines`, `models` | parts of names; in a model `#` is a digit and `@` a letter, `-` is none |
//! | `adjectives`, `uses`, `making`, `closings` | parts of descriptions; `{material}` is filled in |
//! | `warranty` | months, or `-` |
//! | `flag NAME PERCENT` | a boolean attribute and how often it is true |
//! | `labels NAME LIST` | an attribute with several values |
//! | `axis NAME [+PERCENT] LIST` | what variants differ in; a surcharge a step means that the steps are in order |
//! | `= NAME / AXES / GRAMS / MATERIALS` | an aisle: the second category |
//! | `- PRICE NAME: NOUNS [@ AXES]` | a shelf: the leaf, its median price, what its products are called |
//! | `+ LIST` | sentences about the aisle's products, at least two for each shelf |
//! | `? SPECS` | the aisle's own attributes: a range or a choice each |

const WORDS: [&str; 10] = [
    include_str!("words/electronics.txt"),
    include_str!("words/computers.txt"),
    include_str!("words/kitchen.txt"),
    include_str!("words/furniture.txt"),
    include_str!("words/clothing.txt"),
    include_str!("words/beauty.txt"),
    include_str!("words/sports.txt"),
    include_str!("words/toys.txt"),
    include_str!("words/grocery.txt"),
    include_str!("words/garden.txt"),
];

type Words = Vec<&'static str>;

/// A root category and all that its products share.
#[derive(Debug, Default)]
pub(super) struct Department {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    pub(super) brands: Words,
    pub(super) lines: Words,
    pub(super) models: Words,
    pub(super) adjectives: Words,
    pub(super) uses: Words,
    pub(super) making: Words,
    pub(super) closings: Words,
    /// Months; none where nothing is warranted.
    pub(super) warranty: Vec<i64>,
    /// A boolean attribute, true in so many percent.
    pub(super) flag: (&'static str, u32),
    /// An attribute of several values.
    pub(super) labels: (&'static str, Words),
    pub(super) aisles: Vec<Aisle>,
    axes: Vec<Axis>,
}

/// A second category.
#[derive(Debug, Default)]
pub(super) struct Aisle {
    pub(super) name: &'static str,
    /// The lightest product and the heaviest.
    pub(super) grams: (i64, i64),
    pub(super) specs: Vec<Spec>,
    axes: &'static str,
    materials: &'static str,
    /// How many of its shelves have been read.
    shelves: u8,
}

/// An attribute that the products of an aisle have.
#[derive(Debug)]
pub(super) enum Spec {
    /// A whole number between two, both included.
    Range(&'static str, i64, i64),
    /// One of several texts.
    Choice(&'static str, Words),
}

/// A leaf category.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Index of the department.
    pub(super) department: usize,
    /// Index of the aisle within the department.
    pub(super) aisle: usize,
    pub(super) name: &'static str,
    /// The middle part of SKUs.
    pub(super) code: String,
    /// Median price of the cheapest option.
    pub(super) median: f64,
    pub(super) nouns: Words,
    pub(super) materials: Words,
    /// Sentences that are true of every product here.
    pub(super) features: Words,
    /// What the variants differ in: at most two.
    pub(super) axes: Vec<Axis>,
}

/// Something that variants differ in.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The attribute's name.
    pub(super) name: &'static str,
    /// How much more each step costs, in percent; `None` where the options have no order.
    pub(super) step: Option<u32>,
    pub(super) options: Words,
}

/// All departments and all shelves.
pub(super) fn stock_up() -> (Vec<Department>, Vec<Shelf>) {
    let mut departments = Vec::with_capacity(WORDS.len());
    let mut shelves: Vec<Shelf> = Vec::new();
    for (i, words) in WORDS.into_iter().enumerate() {
        let mut department = Department::default();
        for line in words.lines() {
            if let Some((kind, rest)) = line.split_once(' ') {
                match kind {
                    "-" => shelves.push(department.shelf(i, rest)),
                    "+" => {
                        let first = shelves.len().saturating_sub(5);
                        for (number, shelf) in (1..).zip(&mut shelves[first..]) {
                            shelf.features = true_of(number, rest);
                        }
                    }
                    _ => department.read(kind, rest),
                }
            }
        }
        departments.push(department);
    }
    (departments, shelves)
}

impl Department {
    fn read(&mut self, kind: &str, rest: &'static str) {
        match kind {
            "department" => self.name = rest,
            "code" => self.code = rest,
            "brands" => self.brands = words(rest),
            "lines" => self.lines = words(rest),
            "models" => self.models = words(rest),
            "adjectives" => self.adjectives = words(rest),
            "uses" => self.uses = words(rest),
            "making" => self.making = words(rest),
            "closings" => self.closings = words(rest),
            "warranty" => {
                self.warranty = words(rest).iter().filter_map(|months| months.parse().ok()).collect();
            }
            "flag" => {
                let (name, percent) = pair(rest, " ");
                self.flag = (name, percent.parse().unwrap_or_default());
            }
            "labels" => {
                let (name, marks) = pair(rest, " ");
                self.labels = (name, words(marks));
            }
            "axis" => self.axes.push(axis(rest)),
            "=" => self.aisles.push(aisle(rest)),
            "?" => {
                if let Some(aisle) = self.aisles.last_mut() {
                    aisle.specs = rest.split("; ").map(spec).collect();
                }
            }
            _ => {}
        }
    }

    /// `PRICE NAME: NOUNS [@ AXES]`, in the aisle read last.
    fn shelf(&mut self, department: usize, rest: &'static str) -> Shelf {
        let (rest, own_axes) = rest.split_once(" @ ").map_or((rest, None), |(rest, axes)| (rest, Some(axes)));
        let (price, rest) = pair(rest, " ");
        let (name, nouns) = pair(rest, ": ");
        let (mut axes, mut materials) = ("", Words::new());
        if let Some(aisle) = self.aisles.last_mut() {
            aisle.shelves += 1;
            axes = own_axes.unwrap_or(aisle.axes);
            materials = true_of(aisle.shelves, aisle.materials);
        }
        let letters = name.chars().filter(char::is_ascii_alphabetic).take(4);
        Shelf {
            department,
            aisle: self.aisles.len().saturating_sub(1),
            name,
            code: letters.map(|letter| letter.to_ascii_uppercase()).collect(),
            median: price.parse().unwrap_or_default(),
            nouns: words(nouns),
            materials,
            features: Words::new(),
            axes: axes
                .split(' ')
                .filter_map(|name| self.axes.iter().find(|a| a.name == name).cloned())
                .collect(),
        }
    }
}

/// The items of an aisle's list that are true of its shelf `number`, from 1.
fn true_of(number: u8, list: &'static str) -> Words {
    let item = |item: &'static str| {
        let text = item.trim_start_matches(|c: char| c.is_ascii_digit());
        let which = &item[..item.len() - text.len()];
        (which.is_empty() || which.contains(char::from(b'0' + number))).then(|| text.trim_start())
    };
    list.split('|').filter_map(item).collect()
}

/// `NAME / AXES / GRAMS / MATERIALS`
fn aisle(rest: &'static str) -> Aisle {
    let (name, rest) = pair(rest, " / ");
    let (axes, rest) = pair(rest, " / ");
    let (grams, materials) = pair(rest, " / ");
    Aisle { name, axes, grams: range(grams).unwrap_or_default(), materials, ..Aisle::default() }
}

/// `NAME [+PERCENT] LIST`
fn axis(rest: &'static str) -> Axis {
    let (name, rest) = pair(rest, " ");
    let step = rest.strip_prefix('+').map(|rest| pair(rest, " "));
    let options = words(step.map_or(rest, |(_, options)| options));
    Axis { name, step: step.map(|(percent, _)| percent.parse().unwrap_or_default()), options }
}

/// `NAME FROM-TO` or `NAME LIST`
fn spec(rest: &'static str) -> Spec {
    let (name, values) = pair(rest, " ");
    match range(values) {
        Some((from, to)) => Spec::Range(name, from, to),
        None => Spec::Choice(name, words(values)),
    }
}

fn range(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn words(list: &'static str) -> Words {
    list.split('|').collect()
}

fn pair(text: &'static str, between: &str) -> (&'static str, &'static str) {
    text.split_once(between).unwrap_or((text, ""))
}
