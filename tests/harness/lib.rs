//! Test harness: namespaces, packets, a gateway under test.
