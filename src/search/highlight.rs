//! Showing what matched: a text as HTML, with marks.

use std::ops::Range;

/// The text, escaped for HTML, with `<mark>` around the parts; they are in bytes. A part that cuts through a
/// character takes in all of it, and what another part has marked or what lies beyond the text is left out.
pub(super) fn mark(text: &str, parts: &[Range<usize>]) -> String {
    let mut html = String::with_capacity(text.len() + parts.len() * "<mark></mark>".len());
    let mut done = 0;
    for part in parts {
        let start = boundary(text, part.start, -1).max(done);
        let end = boundary(text, part.end, 1);
        if part.is_empty() || start >= end {
            continue;
        }
        escape(&text[done..start], &mut html);
        html.push_str("<mark>");
        escape(&text[start..end], &mut html);
        html.push_str("</mark>");
        done = end;
    }
    escape(&text[done..], &mut html);
    html
}

/// The next place from here, in this direction, where a character begins or the text ends.
fn boundary(text: &str, from: usize, direction: isize) -> usize {
    let mut at = from.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_add_signed(direction);
    }
    at
}

fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(text: &str, parts: &[(usize, usize)]) -> String {
        mark(text, &parts.iter().map(|&(start, end)| start..end).collect::<Vec<_>>())
    }

    #[test]
    fn everything_but_the_marks_is_text() {
        assert_eq!(
            marked("Tea & <b>\"pot\"</b>'s", &[]),
            "Tea &amp; &lt;b&gt;&quot;pot&quot;&lt;/b&gt;&#39;s"
        );
        assert_eq!(marked("a <b> c", &[(2, 5)]), "a <mark>&lt;b&gt;</mark> c");
        assert_eq!(marked("<mark>", &[(0, 1), (1, 5)]), "<mark>&lt;</mark><mark>mark</mark>&gt;");
        assert_eq!(marked("Äpfel", &[(0, 2), (3, 6)]), "<mark>Ä</mark>p<mark>fel</mark>");
    }

    #[test]
    fn odd_parts_break_nothing() {
        assert_eq!(marked("äö", &[(1, 3)]), "<mark>äö</mark>", "characters stay whole");
        assert_eq!(marked("abc", &[(1, 2), (0, 3)]), "a<mark>b</mark><mark>c</mark>");
        assert_eq!(marked("abc", &[(2, 99), (7, 8), (usize::MAX, usize::MAX)]), "ab<mark>c</mark>");
        assert_eq!(marked("abc", &[(2, 1), (1, 1)]), "abc");
        assert_eq!(marked("", &[(0, 1)]), "");
    }

    proptest! {
        #[test]
        fn without_its_marks_it_is_the_escaped_text(
            text in "\\PC{0,20}",
            parts in proptest::collection::vec((0_usize..90, 0_usize..90), 0..6),
        ) {
            let marked = marked(&text, &parts);
            prop_assert_eq!(marked.replace("<mark>", "").replace("</mark>", ""), mark(&text, &[]));
            prop_assert_eq!(marked.matches("<mark>").count(), marked.matches("</mark>").count());
        }
    }
}
