//! Maps of another ABI version are never reinterpreted: `postern run` refuses them in one sentence.

use harness::gateway::{ACCELERATE_ALL, Config, Gateway};
use harness::requires_root;
use harness::topology::{Hook, Topology};
use smtp_common::abi::{ABI_VERSION, AbiInfo, map};

#[test]
fn maps_of_another_version_are_refused_and_left_alone() {
    requires_root!();
    for hook in Hook::BOTH {
        let topology = Topology::new(hook);
        topology.fix_neighbours();
        let mut gateway = Gateway::start(&topology, &Config::new(hook, ACCELERATE_ALL));
        gateway.terminate();
        let info: AbiInfo = gateway.pins().array_entry(map::ABI, 0);
        let other = AbiInfo { version: ABI_VERSION + 1, ..info };
        gateway.pins().set_array_entry(map::ABI, 0, other);
        let before = topology.attached_programs();

        let output = gateway.run_in_vain();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(69 | 78)), "{hook:?}: {:?} {words}", output.status);
        assert!(words.contains(&format!("layout {}", other.version)), "{hook:?}: {words}");
        assert!(words.contains("postern stop"), "{hook:?}: it says what to do: {words}");
        assert_eq!(topology.attached_programs(), before, "{hook:?}: what runs is left alone");
        let still: AbiInfo = gateway.pins().array_entry(map::ABI, 0);
        assert_eq!(still.version, other.version, "{hook:?}");

        let output = gateway.try_command(&["conns"]);
        assert!(!output.status.success(), "{hook:?}: nobody reads such maps");
        // What it says to do works.
        gateway.stop();
        gateway.run();
    }
}
