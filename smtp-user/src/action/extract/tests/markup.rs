//! HTML and SVG.

use super::{ExtractError, Kind, Weeds, copy, error, extract};

fn html(text: &str) -> String {
    String::from_utf8(copy(Kind::Html, text.as_bytes()).octets).unwrap()
}

#[test]
fn elements_and_attributes_that_run_something_go_and_nothing_else() {
    let page = "<HTML>\r\n<body  onload='x()' CLASS=a>\n<p align = left>Caf\u{e9} &amp; <b>more</p>\
                <script>alert('</p>')</script><a href=\"https://a.example/?a=b&c\">x</a>\t<br/>\
                <a href='java&#115;cript:x'>y</a><iframe src=x>z</iframe><!-- kept --></body>";
    let weeded = html(page);
    assert_eq!(
        weeded,
        "<HTML>\r\n<body CLASS=a>\n<p align = left>Caf\u{e9} &amp; <b>more</p>\
         <a href=\"https://a.example/?a=b&c\">x</a>\t<br/><a>y</a><!-- kept --></body>"
    );
    let removed = copy(Kind::Html, page.as_bytes()).removed;
    assert_eq!(removed.to_string(), "attribute href, attribute onload, iframe, script");
}

#[test]
fn a_page_without_any_needs_no_copy() {
    for page in [
        "<p>a",
        "",
        "<a href=mailto:a@b.example>x</a>",
        "a < b && c > d",
        "<img src='data:image/png;base64,A'>",
    ] {
        assert_eq!(extract(Kind::Html, page.as_bytes(), &Weeds::default(), 0), Ok(None), "{page}");
    }
}

#[test]
fn an_attribute_that_cannot_be_named_goes_with_its_element() {
    let page = "<p>a<a \u{feff}href=\"javascript:x\">b</a><i>c</i>";
    assert_eq!(html(page), "<p>a<i>c</i>");
}

#[test]
fn ways_to_run_something_in_a_page() {
    for page in [
        "<img src=x onerror=alert(1)>",
        "<svg><script>x</script></svg>",
        "<svg/onload=x>",
        "<ScRiPt SRC=//a.example/x>",
        "<script>x",
        "<object data=x></object>",
        "<embed src=x>",
        "<meta http-equiv=refresh content='0;url=x'>",
        "<meta http-equiv=' Re&#102;resh' content=x>",
        "<base href=//a.example/>",
        "<form action='javascript:x'><button formaction='vbscript:x'>",
        "<a href='data:text/html;base64,PHN'>",
        "<a xlink:href='javascript:x'>",
        "<div style='width: expression(x)'>",
        "<div style='\\65xpression(x)'>",
        "<svg><animate attributeName=href values='a;javascript:x'/></svg>",
        "<svg><set attributeName=href to=javascript:x /></svg>",
        "<iframe srcdoc='<script>'>",
        "<!--[if IE]><script>x</script><![endif]-->",
        "<link rel=import href=x>",
        "<a href='search-ms:query=x'>",
        "<x onclick=1 onclick=2>",
    ] {
        let weeded = html(page);
        let lower = weeded.to_ascii_lowercase();
        for word in ["script", "on", "expression", "refresh", "search-ms", "data:text", "import"] {
            let is_attribute = word == "on" && !lower.contains(" on") && !lower.contains("/on");
            assert!(is_attribute || !lower.contains(word), "{page}: {weeded}");
        }
        // Nothing is left to take out.
        assert_eq!(extract(Kind::Html, weeded.as_bytes(), &Weeds::default(), 0), Ok(None), "{weeded}");
    }
}

#[test]
fn lists_say_what_goes() {
    let weeds = Weeds { elements: vec!["img".to_owned()], attributes: vec!["class".to_owned()] };
    let page = b"<p class=a id=b><img src=x><iframe>";
    let copy = extract(Kind::Html, page, &weeds, 0).unwrap().unwrap();
    assert_eq!(copy.octets, b"<p id=b><iframe>");
    assert_eq!((copy.removed.count("img"), copy.removed.count("attribute class")), (1, 1));
}

#[test]
fn codes_in_which_letters_are_other_octets_are_refused() {
    for page in [
        b"\xff\xfe<\0p\0".as_slice(),
        b"<\0s\0",
        b"<meta charset=utf-7>+ADw-script",
        b"+ADw-script+AD4-",
        b"<meta charset=ISO-2022-JP>",
        b"\x1b$B<script>",
    ] {
        assert!(matches!(error(Kind::Html, page), ExtractError::Uncertain(_)), "{page:?}");
    }
}

#[test]
fn pictures_lose_their_scripts_or_are_not_copied() {
    let picture = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='x'>\n\
                   <script type='text/javascript'><![CDATA[ x ]]></script><circle r='1'/></svg>";
    let copied = copy(Kind::Svg, picture.as_bytes()).octets;
    let copied = String::from_utf8(copied).unwrap();
    assert_eq!(
        copied,
        "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'>\n<circle r='1'/></svg>"
    );
    for picture in [
        "<!DOCTYPE svg [<!ENTITY x '<script>'>]><svg>&x;</svg>",
        "<s:svg xmlns:s='http://www.w3.org/2000/svg'><title><s:script>x</s:script></title></s:svg>",
        "<s:svg xmlns:s='http://www.w3.org/2000/svg'><textarea><s:script>x</s:script></textarea></s:svg>",
    ] {
        let outcome = extract(Kind::Svg, picture.as_bytes(), &Weeds::default(), 0);
        assert!(matches!(outcome, Err(ExtractError::Uncertain(_))), "{picture}: {outcome:?}");
    }
}
