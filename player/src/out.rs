//! What a command prints for the person or machine that called it. Logs go elsewhere (`log`).

use std::io::{self, ErrorKind, Write};

use crate::error::Error;

/// Prints lines to standard output. A reader that has gone away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Error> {
    finish(write(&mut io::stdout().lock(), text)).map_err(Error::Output)
}

/// Prints bytes as they are.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    finish(out.write_all(bytes).and_then(|()| out.flush())).map_err(Error::Output)
}

/// Tells the person at the terminal of a trouble that stops nothing, or of the failure at the end.
pub fn complain(text: &str) {
    // Nobody is left to be told that standard error is gone.
    let _ = write(&mut io::stderr().lock(), &format!("vitrine: {text}"));
}

fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        to.write_all(b"\n")?;
    }
    to.flush()
}

fn finish(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_with_one_line_feed() {
        for (given, want) in [("a", "a\n"), ("a\n", "a\n"), ("", "\n")] {
            let mut out = Vec::new();
            write(&mut out, given).expect("memory");
            assert_eq!(String::from_utf8_lossy(&out), want, "given {given:?}");
        }
    }

    #[test]
    fn a_reader_that_left_is_no_failure_but_a_full_disk_is() {
        assert!(finish(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(finish(Err(ErrorKind::StorageFull.into())).is_err());
    }
}
