//! A worker from the inside: gives its rights away, then does what it is asked until nobody asks any more.

use std::io::{self, BufReader, BufWriter, Write as _, stdin, stdout};

#[cfg(debug_assertions)]
use crate::worker::chaos;
use crate::worker::copy::copy;
use crate::worker::protocol::{self, Task, read_octets};
use crate::worker::sandbox;
use crate::worker::unpack::unpack;

/// Works until the daemon is gone. The error says what right could not be given away, or which task was none.
pub fn work() -> io::Result<()> {
    sandbox::enter()?;
    // Neither is anybody's terminal: both are the one socket to the daemon.
    let (mut input, mut output) = (BufReader::new(stdin().lock()), BufWriter::new(stdout().lock()));
    // Fails if the daemon has ended meanwhile: from now on, the kernel ends whoever it leaves behind.
    protocol::write_ready(&mut output)?;
    loop {
        let task: Task = match protocol::read(&mut input) {
            Ok(task) => task,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        match task {
            Task::Unpack(question) => {
                let readings = question.lengths.iter().map(|length| read_octets(&mut input, *length));
                let readings = readings.collect::<io::Result<Vec<_>>>()?;
                #[cfg(debug_assertions)]
                for octets in &readings {
                    chaos::obey("unpack", octets);
                }
                protocol::write(&mut output, &unpack(&question, readings.iter().map(Vec::as_slice)))?;
            }
            Task::Copy(original) => {
                let octets = read_octets(&mut input, original.length)?;
                #[cfg(debug_assertions)]
                chaos::obey("copy", &octets);
                let (copied, octets) = copy(&original, &octets);
                protocol::write(&mut output, &copied)?;
                output.write_all(&octets)?;
                output.flush()?;
            }
        }
    }
}
