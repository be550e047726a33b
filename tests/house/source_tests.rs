//! The reader of sources, tried out.

use super::*;

#[test]
fn code_is_told_from_words() {
    let text = "//! use crate::a;\nfn f<'a>(c: char) { /* use /* crate */ ::b */ let q = '\"'; g(\"crate::c\\\"\", r#\"x\"y\"#) }\n";
    let source = Source::new("src/x.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert!(!source.code.contains("crate") && source.code.contains("fn f<'a>(c: char)"), "{}", source.code);
    let strings: Vec<_> =
        source.strings.iter().map(|literal| (literal.line, literal.text.as_str())).collect();
    assert_eq!(strings, [(2, "crate::c\\\""), (2, "x\"y")]);
}

#[test]
fn tests_do_not_count() {
    let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::a;\n    const S: &str = \"select\";\n}\nfn g() {}\n#[cfg(test)]\nmod more;\n";
    let source = Source::new("src/x.rs", text);
    assert!(source.references().is_empty() && source.strings.is_empty());
    assert!(source.code.contains("fn g()") && !source.code.contains("mod more"));
}

#[test]
fn what_a_type_captures_is_no_import() {
    let source = Source::new(
        "src/a.rs",
        "fn f<'a>() -> impl A + use<'a> { loop {} }\nfn h() -> impl A + use<> { crate::k() }",
    );
    assert_eq!(
        source.references().iter().map(|r| (r.line, r.path.join("::"))).collect::<Vec<_>>(),
        [(2, "k".to_owned())]
    );
}

#[test]
fn every_way_to_name_somebody_is_seen() {
    let text = "mod store;\nuse std::fmt;\nuse super::{\n    model::{self, Row as Line},\n    *,\n};\nuse crate::{category, a::b::C};\n\
                pub(in crate::product) fn f() -> crate::error::Result<()> {\n    category::actions::go(store::x, C::new(), Line::y, model::z, fmt::w)\n}\n";
    let source = Source::new("src/product/variant/actions.rs", text);
    let seen: Vec<_> =
        source.references().iter().map(|r| format!("{} {}", r.line, r.path.join("::"))).collect();
    let expected = [
        "4 product::variant::model",
        "4 product::variant::model::Row",
        "5 product::variant",
        "7 category",
        "7 a::b::C",
        "8 error::Result",
        "9 category::actions::go",
        "9 product::variant::actions::store::x",
        "9 a::b::C::new",
        "9 product::variant::model::Row::y",
        "9 product::variant::model::z",
    ];
    assert_eq!(seen, expected);
}
