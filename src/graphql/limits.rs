//! How much one request may ask for, measured before anything of it is done.
//!
//! A document is read once; each fragment is measured once, wherever it is spread. So what it would cost to answer is
//! known in the time that it takes to read it, and whatever would cost too much is refused without a step towards it.
// over 400 lines: the limits measure one walk together, and their tests stand with them

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    ServerError, Value, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet},
    },
};

use async_graphql_value::Value as Given;

use crate::error::{Error, Kind};

/// Fields below each other, lists' wrappers included.
pub(super) const MOST_DEPTH: u64 = 8;
/// What all objects together may cost; see [`Measure::cost`].
pub(super) const MOST_COST: u64 = 500;
/// Fields under another name.
pub(super) const MOST_ALIASES: u64 = 20;
/// Fields, fragments written out.
const MOST_FIELDS: u64 = 500;
/// `@skip` and the like.
const MOST_DIRECTIVES: u64 = 50;
/// Brackets within each other, before anything is made of them.
const MOST_BRACKETS: usize = 64;
/// Words outside of texts: what has more is not even read. Whatever is within the other limits has far fewer.
const MOST_WORDS: usize = 4_000;
/// Fragments that are spread within each other.
const MOST_NESTED: usize = 64;
/// Of questions about the schema itself: fields below each other. What tools ask has some fifteen.
const MOST_SCHEMA_DEPTH: u64 = 20;
/// Of such questions: lists within each other. Types have fields, and those arguments.
const MOST_SCHEMA_LISTS: u64 = 3;

/// Lists without a `first`, and what each counts for: what a shop usually has of them. Facets and suggestions are
/// counted in the index, and not fetched.
pub(super) const LISTS: [(&str, u64); 18] = [
    ("variants", 5),
    ("children", 3),
    ("items", 10),
    ("shipments", 2),
    ("refunds", 2),
    ("timeline", 5),
    ("addresses", 5),
    ("category", 1),
    ("categories", 1),
    ("brand", 1),
    ("brands", 1),
    ("buckets", 1),
    ("rating", 1),
    ("attributes", 1),
    ("values", 1),
    ("products", 1),
    // Each row costs that many times what the page has rows.
    ("nodes", 1),
    ("edges", 1),
];
/// Lists with a `first`, and what it is when it was not sent: those of the root, and those of a product.
pub(super) const PAGES: [(&str, u64); 6] =
    [("products", 24), ("categories", 24), ("reviews", 24), ("orders", 24), ("users", 24), ("discounts", 24)];
pub(super) const OWN_PAGES: [(&str, u64); 1] = [("reviews", 3)];
/// What costs more than an object: passwords are hashed slowly on purpose, a checkout locks, a payment waits for its
/// gateway, a reindex reads it all.
const ACTIONS: [(&str, u64); 5] =
    [("register", 200), ("login", 200), ("checkout", 50), ("initiatePayment", 200), ("reindex", 200)];
/// The lists of the schema itself.
const SCHEMA_LISTS: [&str; 8] =
    ["types", "fields", "args", "inputFields", "interfaces", "possibleTypes", "enumValues", "directives"];

/// Reads a document, if it is within the limits.
pub(super) fn read(query: &str, variables: &Variables) -> Result<ExecutableDocument, ServerError> {
    let Some((brackets, words)) = skim(query) else {
        return Err(ServerError::new(
            "A text in the document has no end: its closing quotes are missing.",
            None,
        ));
    };
    if words > MOST_WORDS {
        return Err(refused(format!(
            "A document may have at most {MOST_WORDS} words, and this has {words}."
        )));
    }
    if brackets > MOST_BRACKETS {
        return Err(refused(format!("At most {MOST_BRACKETS} brackets may stand within each other.")));
    }
    let document = parse_query(query)?;
    let mut measuring = Measuring::new(&document, variables);
    for (_, operation) in document.operations.iter() {
        let variables = operation.node.variable_definitions.len() as u64;
        let set = &operation.node.selection_set.node;
        let measure = measuring.set(set, Place::Root, 0)?;
        // What is within the limits is short, fragments written out, so that this is too.
        let again = repeated(&document, set, &mut HashSet::new());
        if again > 0 && operation.node.ty == OperationType::Mutation {
            return Err(refused(
                "Each mutation may stand there once; give what is to be done again another name.".to_owned(),
            ));
        }
        measure.and(Measure { fields: variables, aliases: again, ..Measure::default() }).within()?;
    }
    // Also those that nobody spreads: they are validated like the others.
    for name in document.fragments.keys() {
        measuring.fragment(name, 0)?;
    }
    drop(measuring);
    Ok(document)
}

/// How many of an operation's own fields stand there again, under the same name. Their answers are merged, but each is
/// made for itself: one more costs as much as one under another name.
fn repeated<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    known: &mut HashSet<&'a str>,
) -> u64 {
    let again = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => {
            let name = field.node.response_key().node.as_str();
            u64::from(!known.insert(name) && field.node.name.node != "__typename")
        }
        Selection::InlineFragment(inline) => repeated(document, &inline.node.selection_set.node, known),
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |fragment| repeated(document, &fragment.node.selection_set.node, known))
        }
    });
    again.sum()
}

/// What can be seen of a document without reading it: how deep its brackets stand within each other, and how many words
/// it has. Texts and comments are left out. `None` when a text has no end: for each, the parser would look for one as far
/// as the document goes.
fn skim(query: &str) -> Option<(usize, usize)> {
    let (mut depth, mut deepest, mut words) = (0_usize, 0, 0);
    let mut rest = query;
    while let Some(c) = rest.chars().next() {
        let behind = match c {
            '"' => behind_text(rest)?,
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '{' | '[' | '(' => {
                depth += 1;
                deepest = deepest.max(depth);
                1
            }
            '}' | ']' | ')' => {
                depth = depth.saturating_sub(1);
                1
            }
            c if is_of_word(c) => {
                words += 1;
                rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        rest = &rest[behind..];
    }
    Some((deepest, words))
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// How long the text is at which this begins, its quotes included, as the grammar has it (GraphQL, October 2021, 2.9.4):
/// within three quotes only those are escaped, and one ends with its line. `None` when it has no end.
fn behind_text(text: &str) -> Option<usize> {
    const BLOCK: &str = "\"\"\"";
    let (mut at, is_block) = if text.starts_with(BLOCK) { (BLOCK.len(), true) } else { (1, false) };
    loop {
        at += text[at..].find(['"', '\\', '\n', '\r'])?;
        let rest = &text[at..];
        at += match (rest.as_bytes()[0], is_block) {
            (b'"', false) => return Some(at + 1),
            (b'\\', false) => 1 + rest[1..].chars().next()?.len_utf8(),
            (_, false) => return None,
            (b'"', true) if rest.starts_with(BLOCK) => return Some(at + BLOCK.len()),
            (b'\\', true) if rest[1..].starts_with(BLOCK) => 1 + BLOCK.len(),
            (_, true) => 1,
        };
    }
}

fn refused(detail: String) -> ServerError {
    let error = Error::new(Kind::TooComplex, detail);
    ServerError { source: Some(Arc::new(error.clone())), ..ServerError::new(error.to_string(), None) }
}

/// How much of everything a part of a document has.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    depth: u64,
    fields: u64,
    aliases: u64,
    directives: u64,
    /// An object costs 1, a list that many times what one of it costs; numbers and texts cost nothing, for they come
    /// with their objects.
    cost: u64,
    /// What one row of a page costs, below `nodes` and `edges`: the page has many of them.
    row: u64,
    schema_depth: u64,
    schema_lists: u64,
}

impl Measure {
    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            cost: self.cost.saturating_add(other.cost),
            row: self.row.saturating_add(other.row),
            schema_depth: self.schema_depth.max(other.schema_depth),
            schema_lists: self.schema_lists.max(other.schema_lists),
        }
    }

    /// # Errors
    /// Says which limit it exceeds.
    fn within(self) -> Result<Self, ServerError> {
        let limits = [
            (self.depth, MOST_DEPTH, "levels of fields"),
            (self.aliases, MOST_ALIASES, "aliases"),
            (self.fields, MOST_FIELDS, "fields, fragments written out"),
            (self.directives, MOST_DIRECTIVES, "directives"),
            (self.cost.saturating_add(self.row), MOST_COST, "objects, lists counted by their length"),
            (self.schema_depth, MOST_SCHEMA_DEPTH, "levels of fields of the schema"),
            (self.schema_lists, MOST_SCHEMA_LISTS, "lists of the schema within each other"),
        ];
        match limits.into_iter().find(|(asked, most, _)| asked > most) {
            Some((asked, most, what)) => {
                Err(refused(format!("It asks for {asked} {what}; at most {most} are answered at once.")))
            }
            None => Ok(self),
        }
    }
}

/// What a selection is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `Query` or `Mutation`.
    Root,
    /// Any other type.
    Object,
    /// The schema itself.
    Schema,
}

struct Measuring<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// Of variables that were not sent; of several operations', the largest.
    defaults: HashMap<&'a str, u64>,
    /// None while it is being measured: whoever meets it then goes in a circle.
    fragments: HashMap<&'a str, Option<Measure>>,
}

impl<'a> Measuring<'a> {
    fn new(document: &'a ExecutableDocument, variables: &'a Variables) -> Self {
        let mut defaults: HashMap<&str, u64> = HashMap::new();
        let definitions =
            document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
        for definition in definitions {
            let default = definition.node.default_value.as_ref().map_or(0, |value| rows(&value.node));
            let known = defaults.entry(definition.node.name.node.as_str()).or_default();
            *known = default.max(*known);
        }
        Self { document, variables, defaults, fragments: HashMap::new() }
    }

    fn set(&mut self, set: &'a SelectionSet, place: Place, nested: usize) -> Result<Measure, ServerError> {
        let mut sum = Measure::default();
        for item in &set.items {
            let directives = item.node.directives().len() as u64;
            let part = match &item.node {
                Selection::Field(field) => self.field(&field.node, place, nested)?,
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, place, nested)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str(), nested)?
                }
            };
            // At once: so there is never more to be measured than what is allowed, and one piece.
            sum = sum.and(part).and(Measure { directives, ..Measure::default() }).within()?;
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &str, nested: usize) -> Result<Measure, ServerError> {
        // One that is not there is refused by the validation; it counts, or what spreads it could be endless.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Measure { fields: 1, ..Measure::default() });
        };
        match self.fragments.get(name.as_str()) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(refused(format!("Fragment `{name}` spreads itself."))),
            None => {}
        }
        if nested >= MOST_NESTED {
            return Err(refused(format!("At most {MOST_NESTED} fragments may be spread within each other.")));
        }
        let place = match fragment.node.type_condition.node.on.node.as_str() {
            "Query" | "Mutation" => Place::Root,
            schema if schema.starts_with("__") => Place::Schema,
            _ => Place::Object,
        };
        self.fragments.insert(name, None);
        let measure = self.set(&fragment.node.selection_set.node, place, nested + 1)?;
        self.fragments.insert(name, Some(measure));
        Ok(measure)
    }

    fn field(&mut self, field: &'a Field, place: Place, nested: usize) -> Result<Measure, ServerError> {
        let name = field.name.node.as_str();
        let is_schema = place == Place::Schema || name.starts_with("__");
        let below = if is_schema { Place::Schema } else { Place::Object };
        let inner = self.set(&field.selection_set.node, below, nested)?;
        let measure = Measure {
            fields: inner.fields.saturating_add(1),
            aliases: inner.aliases + u64::from(field.alias.is_some()),
            directives: inner.directives,
            ..Measure::default()
        };
        if is_schema {
            let schema_lists = inner.schema_lists + u64::from(SCHEMA_LISTS.contains(&name));
            return Ok(Measure { schema_depth: inner.schema_depth + 1, schema_lists, ..measure });
        }
        let (cost, row) = self.cost(field, inner, place);
        let (schema_depth, schema_lists) = (inner.schema_depth, inner.schema_lists);
        Ok(Measure { depth: inner.depth + 1, cost, row, schema_depth, schema_lists, ..measure })
    }

    /// What the field costs, once and for each row of the page that it is in.
    fn cost(&self, field: &Field, inner: Measure, place: Place) -> (u64, u64) {
        let name = field.name.node.as_str();
        if field.selection_set.node.items.is_empty() {
            let action = place == Place::Root;
            return (
                ACTIONS.iter().find(|(known, _)| action && *known == name).map_or(0, |(_, cost)| *cost),
                0,
            );
        }
        let of = |table: &[(&str, u64)]| table.iter().find(|(known, _)| *known == name).map(|(_, n)| *n);
        let whole = inner.cost.saturating_add(inner.row).saturating_add(1);
        match place {
            Place::Root => {
                let action = of(&ACTIONS).unwrap_or_default();
                let cost = match of(&PAGES) {
                    Some(default) => {
                        // Of the search alone rows are fetched only for who asks for them.
                        let row = inner.row.max(u64::from(name != "products"));
                        let rows = row.saturating_mul(self.first(field, default));
                        rows.saturating_add(inner.cost).saturating_add(1)
                    }
                    None => whole.saturating_mul(of(&LISTS).unwrap_or(1)),
                };
                (cost.saturating_add(action), 0)
            }
            // The edge comes with its node.
            _ if name == "edges" => (0, whole - 1),
            _ if name == "nodes" => (0, whole),
            _ => {
                let own = of(&OWN_PAGES).map(|default| self.first(field, default));
                (whole.saturating_mul(own.or(of(&LISTS)).unwrap_or(1)), 0)
            }
        }
    }

    /// How many rows are asked for.
    fn first(&self, field: &Field, default: u64) -> u64 {
        match field.get_argument("first").map(|given| &given.node) {
            None => default,
            Some(Given::Variable(name)) => match self.variables.get(name) {
                Some(sent) => rows(sent),
                None => self.defaults.get(name.as_str()).copied().filter(|n| *n > 0).unwrap_or(default),
            },
            Some(given) => given.clone().into_const().map_or(default, |given| rows(&given)),
        }
    }
}

/// A number of rows. Whatever is none is refused when it is read.
fn rows(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_graphql::parser::{
        parse_schema,
        types::{BaseType, ObjectType, TypeKind, TypeSystemDefinition},
    };

    use super::*;

    /// The object types of the schema, by name.
    fn objects() -> BTreeMap<String, ObjectType> {
        let definitions = parse_schema(crate::graphql::sdl()).unwrap().definitions;
        let objects = definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => match definition.node.kind {
                TypeKind::Object(object) => Some((definition.node.name.node.to_string(), object)),
                _ => None,
            },
            _ => None,
        });
        objects.collect()
    }

    #[test]
    fn every_list_of_the_schema_counts_for_what_it_holds() {
        let objects = objects();
        assert!(objects.len() > 40, "{}", objects.len());
        let known =
            |table: &[(&str, u64)], name: &str| table.iter().find(|(list, _)| *list == name).map(|(_, n)| *n);
        for (type_name, object) in &objects {
            for field in &object.fields {
                let (field, name) = (&field.node, field.node.name.node.as_str());
                let first = field.arguments.iter().find(|argument| argument.node.name.node == "first");
                if let Some(first) = first {
                    let table: &[(&str, u64)] = if type_name == "Query" { &PAGES } else { &OWN_PAGES };
                    let default = first.node.default_value.as_ref().map(|value| rows(&value.node));
                    assert_eq!(known(table, name), default, "{type_name}.{name}(first:)");
                    assert!(default.is_some(), "{type_name}.{name}(first:) has no default");
                } else if let BaseType::List(of) = &field.ty.node.base
                    && let BaseType::Named(of) = &of.base
                    && objects.contains_key(of.as_str())
                {
                    assert!(known(&LISTS, name).is_some(), "{type_name}.{name} is a list that nobody counts");
                }
            }
        }
    }

    #[test]
    fn a_schema_names_no_field_as_the_schema_of_schemas_does() {
        // Their lists are counted by name.
        for (type_name, object) in objects() {
            let taken = object.fields.iter().find(|field| field.node.name.node.starts_with("__"));
            assert!(taken.is_none(), "{type_name}");
        }
    }

    #[test]
    fn a_document_is_skimmed_without_its_texts() {
        assert_eq!(skim("{ a(b: [1, \"({[ \\\" x\"]) # {{{\n { c } }"), Some((3, 4)));
        assert_eq!(skim("{ a(b: \"\"\"two \" {\n words\\\"\"\" {\"\"\", c: 1) }"), Some((2, 4)));
        assert_eq!(skim("{ a(b: \"\"\"no escape \\\\\"\"\" [\"\"\\\"\"\"\"x"), None);
        assert_eq!(skim("(\"\"\"\\é\"\"\"\"\"[\"\"\"\"\"\"{"), Some((3, 0)));
        assert_eq!(skim("é}}{\u{1F600}{"), Some((2, 0)));
        for endless in
            ["\"open { \\", "\"", "\"of two\nlines\"", "\"\"\"open\"\"", "\"\"\"\\\"\"\"", "\"\"\" \\"]
        {
            assert_eq!(skim(endless), None, "{endless}");
        }
    }

    #[test]
    fn what_a_document_costs_is_its_objects() {
        let cost = |query: &str| {
            let variables = Variables::default();
            let document = parse_query(query).unwrap();
            let mut measuring = Measuring::new(&document, &variables);
            let (_, operation) = document.operations.iter().next().unwrap();
            measuring.set(&operation.node.selection_set.node, Place::Root, 0).unwrap().cost
        };
        assert_eq!(cost("{ __typename }"), 0);
        assert_eq!(cost("{ me { id username } }"), 1);
        assert_eq!(cost("{ products { totalCount } }"), 1);
        assert_eq!(cost("{ categories(first: 10) { totalCount } }"), 11);
        assert_eq!(cost("{ products(first: 10) { nodes { id category { name } } } }"), 21);
        assert_eq!(cost("{ products(first: 10) { edges { node { id category { name } } } } }"), 21);
        assert_eq!(cost("{ products(first: 10) { facets { brand { value } } nodes { id } } }"), 13);
        assert_eq!(
            cost("{ products(first: 2) { nodes { variants { id } reviews { id } } } }"),
            1 + 2 * (1 + 5 + 3)
        );
        assert_eq!(
            cost(
                "{ ...A } fragment A on Query { products { ...B } } fragment B on ProductConnection { nodes { id } }"
            ),
            25
        );
        assert_eq!(cost("query ($n: Int = 3) { products(first: $n) { nodes { id } } }"), 4);
        assert_eq!(cost("mutation { login(input: {}) { access } }"), 201);
    }
}
