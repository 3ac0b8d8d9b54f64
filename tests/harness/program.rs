//! One packet through one kernel program, by `BPF_PROG_TEST_RUN`.
//!
//! The programs are those that a gateway under test has loaded and pinned, so what is run here is what
//! its interfaces run. The call is made inside the gateway's namespace: the kernel looks for the ingress
//! interface, and the program for routes, there.

use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use smtp_common::abi::program;

use crate::netns::NetNs;
use crate::pins::{Pins, ReasonCounts, moved};
use crate::topology::Hook;

/// What a program told the kernel to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Goes on to the stack.
    Pass,
    /// Is discarded.
    Drop,
    /// Goes out of another interface.
    Redirect,
    /// Goes out where it came in.
    Transmit,
    /// Any other code.
    Other(u32),
}

impl Action {
    fn of(hook: Hook, code: u32) -> Self {
        match (hook, code) {
            (Hook::Xdp, 1) | (Hook::Tc, 2) => Self::Drop,
            // TC_ACT_OK; and TC_ACT_UNSPEC, which lets the next program of the chain decide.
            (Hook::Xdp, 2) | (Hook::Tc, 0 | u32::MAX) => Self::Pass,
            (Hook::Xdp, 3) => Self::Transmit,
            (Hook::Xdp, 4) | (Hook::Tc, 7) => Self::Redirect,
            _ => Self::Other(code),
        }
    }
}

/// What one run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the program told the kernel.
    pub action: Action,
    /// The frame as it left the program.
    pub frame: Vec<u8>,
    /// Packets counted, by reason.
    pub counted: ReasonCounts,
}

/// A program of a gateway, ready to be run on frames.
#[derive(Debug)]
pub struct Program<'a> {
    namespace: &'a NetNs,
    pins: &'a Pins,
    hook: Hook,
}

impl<'a> Program<'a> {
    /// The program for a hook.
    pub fn new(namespace: &'a NetNs, pins: &'a Pins, hook: Hook) -> Self {
        Self { namespace, pins, hook }
    }

    /// Runs it on a frame as if that had come in by `interface`.
    ///
    /// # Panics
    ///
    /// When the kernel refuses the run.
    pub fn run(&self, interface: &str, frame: &[u8]) -> Run {
        let ifindex = self.namespace.ifindex(interface);
        self.run_by_ifindex(ifindex, frame)
    }

    /// Runs it on a frame as if that had come in by the interface of this index.
    ///
    /// # Panics
    ///
    /// When the kernel refuses the run.
    pub fn run_by_ifindex(&self, ifindex: u32, frame: &[u8]) -> Run {
        let before = self.pins.reasons();
        let (code, frame) = self.namespace.enter(|| self.test_run(ifindex, frame, 1));
        let counted = moved(&before, &self.pins.reasons());
        Run { action: Action::of(self.hook, code), frame, counted }
    }

    /// Runs it on many frames and looks at nothing but what it told the kernel.
    ///
    /// # Panics
    ///
    /// When the kernel refuses a run.
    pub fn actions(&self, interface: &str, frames: &[Vec<u8>]) -> Vec<Action> {
        let ifindex = self.namespace.ifindex(interface);
        self.namespace.enter(|| {
            let act = |frame: &Vec<u8>| Action::of(self.hook, self.test_run(ifindex, frame, 1).0);
            frames.iter().map(act).collect()
        })
    }

    /// Runs it many times on one frame that it does not change, such as one that it drops.
    ///
    /// # Panics
    ///
    /// When the kernel refuses the run.
    pub fn run_often(&self, interface: &str, frame: &[u8], times: u32) -> Action {
        let ifindex = self.namespace.ifindex(interface);
        Action::of(self.hook, self.namespace.enter(|| self.test_run(ifindex, frame, times)).0)
    }

    fn test_run(&self, ifindex: u32, frame: &[u8], times: u32) -> (u32, Vec<u8>) {
        let length = u32::try_from(frame.len()).expect("the frame is short");
        let context = match self.hook {
            // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
            Hook::Xdp => words(&[0, length, 0, ifindex, 0, 0]),
            // struct __sk_buff: ingress_ifindex is word 9, ifindex word 10; all before mark must be zero.
            Hook::Tc => {
                let mut context = [0_u32; 48];
                context[9] = ifindex;
                context[10] = ifindex;
                words(&context)
            }
        };
        let mut out = vec![0; frame.len() + 256];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            repeat: times,
            ..TestRunOptions::new()
        };
        let name = match self.hook {
            Hook::Xdp => program::XDP_INGRESS,
            Hook::Tc => program::TC_INGRESS,
        };
        // The type only names the methods: a test run asks the kernel for a program by its descriptor.
        let program = SchedClassifier::from_pin(self.pins.path(&format!("prog_{name}")))
            .unwrap_or_else(|error| panic!("the program {name} is not pinned: {error}"));
        let result = program
            .test_run(options)
            .unwrap_or_else(|error| panic!("the program {name} cannot be run: {error:?}"));
        out.truncate(usize::try_from(result.data_size_out).expect("the frame is short"));
        (result.return_value, out)
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
