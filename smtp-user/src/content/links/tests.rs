use std::time::Instant;

use proptest::prelude::*;

use super::{in_html, in_text};

fn urls(links: &[super::Link]) -> Vec<&str> {
    links.iter().map(|link| link.url.as_str()).collect()
}

#[test]
fn addresses_in_text_are_found_with_what_stands_around_them() {
    let text = "See (https://www.Example.org/a?b=c#d), http://user:pw@evil.example:8080/x; www.shop.example.\n\
                <HTTP://192.0.2.1> and https://example%2eorg/y, but mail a@b.example and file://x are none.";
    assert_eq!(
        urls(&in_text(text)),
        [
            "https://www.example.org/a?b=c",
            "http://evil.example/x",
            "http://www.shop.example",
            "http://192.0.2.1",
            "https://example.org/y"
        ]
    );
}

#[test]
fn attributes_are_read_as_browsers_do() {
    let html = "<a href='https://a.example/1'>x</a><A HREF = \"ht\ntps://b.example/&amp;2\">y</a>\
                <img src=//c.example/p.png><form action=https:\\\\d.example/go><a href=\"https&#58;//e.example\">z</a>\
                <a title='>' href=\"http://f.example\">q</a><!-- <a href=http://hidden.example> --><p>g http://h.example/</p>";
    assert_eq!(
        urls(&in_html(html)),
        [
            "https://a.example/1",
            "https://b.example/&2",
            "https://c.example/p.png",
            "https://d.example/go",
            "https://e.example",
            "http://f.example",
            "http://h.example/"
        ]
    );
}

#[test]
fn what_is_shown_is_compared_with_where_it_leads() {
    let shown = |html: &str| in_html(html)[0].shown.clone();
    assert_eq!(
        shown("<a href=http://evil.example/x>https://bank.example/login</a>").as_deref(),
        Some("bank.example")
    );
    assert_eq!(
        shown("<a href=http://evil.example><b>www.bank</b>.example</a>").as_deref(),
        Some("www.bank.example")
    );
    assert_eq!(shown("<a href=http://evil.example>bank.example</a>").as_deref(), Some("bank.example"));
    for alike in [
        "<a href=http://www.bank.example/x>bank.example</a>",
        "<a href=https://login.bank.example>www.bank.example</a>",
        "<a href=http://evil.example>click here</a>",
        "<a href=http://evil.example>see bank.example for more</a>",
        "<a href=http://evil.example>report.v2</a>",
        "<a href=http://evil.example>a@bank.example</a>",
    ] {
        assert_eq!(shown(alike), None, "{alike}");
    }
}

#[test]
fn links_are_bounded_and_time_is_in_proportion() {
    let many: Vec<String> = (0..5000).map(|number| format!("http://h{number}.example/")).collect();
    assert_eq!(in_text(&many.join(" ")).len(), super::MAX_LINKS);
    for piece in ["<", "<a href=", "<a href='", "&", "&#", "<!--", "<!-- >", "<a'>", "< ", "<a =", "http://"]
    {
        let start = Instant::now();
        let _ = in_html(&piece.repeat((1 << 18) / piece.len()));
        let _ = in_text(&piece.repeat((1 << 18) / piece.len()));
        assert!(start.elapsed().as_secs() < 20, "{piece}: {:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn no_text_is_beyond_an_answer(text in "\\PC{0,200}|([<>a&#x;=\"'/ :.@%h]|http|href){0,60}") {
        let _ = (in_text(&text), in_html(&text));
    }
}
