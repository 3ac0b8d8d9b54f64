use super::text;
use crate::action::extract::ExtractError;

#[test]
fn what_is_written_is_there_and_nothing_else() {
    for (page, expected) in [
        ("<p>Hello\r\n <b>world</b>!</p>", "Hello world!\r\n"),
        (
            "<html><head><title>t</title><style>p { x }</style></head><body onload='x()'><h1>One</h1><p>two<br>three</p>\
             <script>alert(1)</script><div>four</div><div>five</div></body></html>",
            "One\r\n\r\ntwo\r\nthree\r\n\r\nfour\r\nfive\r\n",
        ),
        ("<ul><li>a<li>b</ul>c", "- a\r\n- b\r\n\r\nc\r\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\r\nc\r\n"),
        ("<pre>a\n  b\n</pre>c  d", "a\r\n  b\r\n\r\n\r\nc d\r\n"),
        ("a &lt;b&gt; &amp;amp; <!-- hidden --> c", "a <b> &amp; c\r\n"),
        ("<img alt='a picture' src='http://x.test/1.png'> x", "a picture x\r\n"),
        ("", "\r\n"),
    ] {
        assert_eq!(text(page.as_bytes(), None).unwrap(), expected, "{page}");
    }
}

#[test]
fn links_say_where_they_lead() {
    for (page, expected) in [
        (
            "See <a href='http://evil.test/?a=1&amp;b'>your bank</a>.",
            "See your bank <http://evil.test/?a=1&b>.\r\n",
        ),
        ("<a href='https://a.test/'>https://a.test/</a>", "https://a.test/\r\n"),
        ("<a href='mailto:a@b.test'>a@b.test</a>", "a@b.test\r\n"),
        ("<a href='javascript:alert(1)'>x</a>", "x\r\n"),
        ("<a href='ht\ntp://a.test/'>x</a>", "x <http://a.test/>\r\n"),
        ("<a href='http://a.test/'><img src=x></a>", "<http://a.test/>\r\n"),
    ] {
        assert_eq!(text(page.as_bytes(), None).unwrap(), expected, "{page}");
    }
}

#[test]
fn letters_are_read_in_their_code() {
    for (page, charset, expected) in [
        (b"<p>\xe4".as_slice(), Some("iso-8859-1"), "\u{e4}\r\n"),
        (b"<p>\xe4", None, "\u{e4}\r\n"),
        ("<p>\u{e4}".as_bytes(), None, "\u{e4}\r\n"),
        (b"<meta charset=\"koi8-r\"><p>\xc1", None, "\u{430}\r\n"),
        (b"\xef\xbb\xbf<p>\xc3\xa4", Some("iso-8859-1"), "\u{e4}\r\n"),
    ] {
        assert_eq!(text(page, charset).unwrap(), expected);
    }
    for (page, charset) in [
        (b"<p>x".as_slice(), Some("klingon")),
        (b"<p>x", Some("utf-16")),
        (b"<p>x", Some("iso-2022-jp")),
        (b"\xff\xfe<\0p\0>\0", None),
    ] {
        assert!(matches!(text(page, charset), Err(ExtractError::Uncertain(_))), "{charset:?}");
    }
}

#[test]
fn pages_without_end_are_rendered_in_time() {
    let deep = "<div><a href='http://a.test/'>x".repeat(20_000);
    assert!(matches!(text(deep.as_bytes(), None), Ok(_) | Err(ExtractError::TooLarge)));
}
