use bytemuck::Zeroable;
use proptest::prelude::*;

use super::*;

fn set(positions: &[u32]) -> RuleSet {
    let mut set = RuleSet::EMPTY;
    for &position in positions {
        set.insert(position);
    }
    set
}

#[test]
fn the_first_rule_in_all_four_sets_wins() {
    let all = RuleSet([u64::MAX; RULE_WORDS]);
    let a = set(&[3, 70, 1023]);
    let b = set(&[4, 70, 1023]);
    assert_eq!(first_match(&a, &b, &all, &all), 70);
    assert_eq!(first_match(&a, &set(&[1023]), &all, &all), 1023);
    assert_eq!(first_match(&a, &set(&[5]), &all, &all), NO_POSITION);
}

#[test]
fn the_lowest_bit_of_every_single_bit_is_itself() {
    for bit in 0..64 {
        assert_eq!(lowest_bit(1 << bit), bit);
    }
}

proptest! {
    #[test]
    fn the_lowest_bit_agrees_with_the_processor(word in 1u64..) {
        prop_assert_eq!(lowest_bit(word), word.trailing_zeros());
    }

    /// The short form says the same as walking the rules one by one.
    #[test]
    fn without_ports_agrees_with_a_walk(
        candidates in prop::collection::btree_set(0u32..200, 0..20),
        possible in prop::collection::btree_set(0u32..200, 0..150),
        certain in prop::collection::btree_set(0u32..200, 0..20),
        guarded in prop::collection::btree_set(0u32..200, 0..50),
    ) {
        let to_set = |s: &std::collections::BTreeSet<u32>| set(&s.iter().copied().collect::<Vec<_>>());
        let mut rules = ProtocolRules::zeroed();
        // A rule that matches every port may match some.
        rules.possible = to_set(&possible.union(&certain).copied().collect());
        rules.certain = to_set(&certain);
        rules.guarded = to_set(&guarded);
        let all = RuleSet([u64::MAX; RULE_WORDS]);
        let mut expected = (false, NO_POSITION);
        for &rule in &candidates {
            if !rules.possible.contains(rule) { continue; }
            expected.0 |= guarded.contains(&rule);
            if certain.contains(&rule) { expected.1 = rule; break; }
        }
        prop_assert_eq!(without_ports(&to_set(&candidates), &all, &all, &rules), expected);
    }
}
