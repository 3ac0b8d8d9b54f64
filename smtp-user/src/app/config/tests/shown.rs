//! How mistakes and warnings are shown: with their places, to people and to programs.

use crate::app::config::Config;

#[test]
fn warnings_have_places_and_do_not_stop() {
    let config = Config::parse(
        "[gateway]\ninterfaces = [\"eth0\"]\n\n[[rule]]\nname = \"all\"\naction = \"stack\"\n\n[[rule]]\nname = \"more\"\naction = \"drop\"\n\n[[resource]]\nname = \"idle\"\n",
        "f",
    )
    .unwrap();
    let places: Vec<_> = config.warnings.iter().map(|w| (w.line, w.column)).collect();
    assert_eq!(places, [(9, 8), (13, 8)]);
}

#[test]
fn columns_and_carets_count_characters() {
    let text = "[gateway]\ninterfaces = [\"eth0\"]\n[[rule]]\nname = \"größe\"\n\tfrom = [\"ü\"]\naction = \"drop\"\n";
    let errors = Config::parse(text, "f").unwrap_err();
    assert_eq!((errors.diagnostics[0].line, errors.diagnostics[0].column), (5, 10));
    assert!(errors.to_string().contains(" 5 | \tfrom = [\"ü\"]\n   | \t        ^^^\n"), "{errors}");
}

#[test]
fn long_lines_are_shown_in_part() {
    let list = vec!["\"192.0.2.1/32\""; 5000].join(", ");
    let text = format!(
        "[gateway]\ninterfaces = [\"e\"]\n[[rule]]\nname = \"r\"\naction = \"drop\"\nfrom = [{list}, \"10.0.0.1/8\"]\n"
    );
    let shown = Config::parse(&text, "f").unwrap_err().to_string();
    assert!(shown.len() < 1000 && shown.contains("^^^^^^^^^^^^"), "{shown}");
    let source: Vec<&str> = shown.lines().collect();
    let caret = source[2].find('^').unwrap();
    assert_eq!(&source[1][caret..caret + 12], "\"10.0.0.1/8\"");
}

#[test]
fn errors_are_data_too() {
    let errors = Config::parse("[gateway]\ninterfaces = [\"eth0\"]\nhok = 1\n", "f").unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json["file"], "f");
    assert_eq!(json["diagnostics"][0]["severity"], "error");
    assert_eq!(json["diagnostics"][0]["line"], 3);
    assert_eq!(json["diagnostics"][0]["suggestion"], "hook");
    assert_eq!(json["diagnostics"][0]["source_line"], "hok = 1");
}
