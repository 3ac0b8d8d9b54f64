//! The command line is consistent, and its options stand where people put them.

use clap::CommandFactory as _;

use super::*;

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("postern").chain(words.split(' ')))
}

#[test]
fn the_tree_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_pin_folder_and_json_stand_behind_the_sub_command() {
    let cli = parse("rules list --pin-dir /sys/fs/bpf/other --json").unwrap();
    let Command::Rules(rules) = cli.command else { panic!() };
    assert_eq!(rules.gateway.pin_dir.to_str(), Some("/sys/fs/bpf/other"));
    assert!(rules.gateway.json);
    for command in ["stat", "conns", "set", "ban list", "path tcp [::1]:1 [::2]:25", "doctor"] {
        parse(&format!("{command} --json --pin-dir /sys/fs/bpf/other")).unwrap();
    }
}

#[test]
fn a_place_is_given_once() {
    parse("rules add --name a --action drop --at 1").unwrap();
    assert!(parse("rules add --name a --action drop --at 1 --before b").is_err());
    assert!(parse("rules move a").is_err());
}

#[test]
fn slips_come_back_with_what_was_meant() {
    for (words, hint) in [
        ("rules add --name a --action acelerate", "did you mean `accelerate`?"),
        ("rules add --name a --action drop --service smpt", "did you mean `smtp`?"),
        ("rules add --name a --action drop --from 10.0.0.1/8", "did you mean `10.0.0.0/8`?"),
        ("conns --reason rule_acelerate", "did you mean `rule_accelerate`?"),
        ("conns --path acelerated", "did you mean `accelerated`?"),
        ("set idle.udpp 3s", "did you mean `idle.udp`?"),
        ("ban add 10.0.0.0/8 --for 10", "did you mean `10s`?"),
    ] {
        let error = parse(words).unwrap_err().to_string();
        assert!(error.contains(hint), "{words}: {error}");
    }
}
