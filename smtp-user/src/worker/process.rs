//! A worker from the inside: gives its rights away, then answers questions until there are no more.

use std::io::{self, BufReader, BufWriter, Read, stdin, stdout};

use crate::worker::protocol::{self, Question};
use crate::worker::sandbox;
use crate::worker::unpack::unpack;

/// Works until the daemon is gone. The error says what right could not be given away, or which question was none.
pub fn work() -> io::Result<()> {
    sandbox::enter()?;
    // Neither is anybody's terminal: both are the one socket to the daemon.
    let (mut input, mut output) = (BufReader::new(stdin().lock()), BufWriter::new(stdout().lock()));
    loop {
        let question: Question = match protocol::read(&mut input) {
            Ok(question) => question,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let readings = question.lengths.iter().map(|length| octets(&mut input, *length));
        let readings = readings.collect::<io::Result<Vec<_>>>()?;
        let answer = unpack(&question, readings.iter().map(Vec::as_slice));
        protocol::write(&mut output, &answer)?;
    }
}

fn octets(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    input.take(length).read_to_end(&mut octets)?;
    if octets.len() as u64 == length { Ok(octets) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
