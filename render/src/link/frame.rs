//! Bytes of one message: lengths first, so that a reader knows its limits before it holds anything.

use std::io::{self, Read, Write};

use vitrine_config::limits::{LINK_BLOB_BYTES, LINK_JSON_BYTES};

use super::LinkError;

/// One message as it travels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub json: Vec<u8>,
    pub blob: Vec<u8>,
}

/// Writes one message.
///
/// # Errors
/// [`LinkError::TooLong`] before a byte is written; [`LinkError::Broken`] otherwise.
pub(super) fn write(out: &mut impl Write, json: &[u8], blob: &[u8]) -> Result<(), LinkError> {
    let mut head = [0; 8];
    head[..4].copy_from_slice(&checked("JSON", json.len(), LINK_JSON_BYTES)?.to_le_bytes());
    head[4..].copy_from_slice(&checked("blob", blob.len(), LINK_BLOB_BYTES)?.to_le_bytes());
    for part in [&head[..], json, blob] {
        out.write_all(part).map_err(LinkError::Broken)?;
    }
    out.flush().map_err(LinkError::Broken)
}

/// Reads one message; None when the other side closed between two.
///
/// # Errors
/// [`LinkError::TooLong`] before anything of that length is held; [`LinkError::Broken`] when the
/// connection ends inside a message.
pub(super) fn read(input: &mut impl Read) -> Result<Option<Frame>, LinkError> {
    let mut head = [0; 8];
    let got = input.read(&mut head[..1]).map_err(LinkError::Broken)?;
    if got == 0 {
        return Ok(None);
    }
    input.read_exact(&mut head[1..]).map_err(LinkError::Broken)?;
    let [a, b, c, d, e, f, g, h] = head;
    let json_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
    let blob_bytes = u32::from_le_bytes([e, f, g, h]) as usize;
    checked("JSON", json_bytes, LINK_JSON_BYTES)?;
    checked("blob", blob_bytes, LINK_BLOB_BYTES)?;
    let json = part(input, json_bytes)?;
    Ok(Some(Frame { json, blob: part(input, blob_bytes)? }))
}

fn checked(part: &'static str, found: usize, limit: usize) -> Result<u32, LinkError> {
    match u32::try_from(found) {
        Ok(length) if found <= limit => Ok(length),
        _ => Err(LinkError::TooLong { part, found, limit }),
    }
}

/// Grows with what really comes, not with what was announced.
fn part(input: &mut impl Read, length: usize) -> Result<Vec<u8>, LinkError> {
    let mut bytes = Vec::new();
    let got = input.take(length as u64).read_to_end(&mut bytes).map_err(LinkError::Broken)?;
    if got == length {
        Ok(bytes)
    } else {
        Err(LinkError::Broken(io::Error::from(io::ErrorKind::UnexpectedEof)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_and_any_cut_is_noticed(
            json in prop::collection::vec(any::<u8>(), 0..64),
            blob in prop::collection::vec(any::<u8>(), 0..64),
            cut in 0..200usize,
        ) {
            let mut bytes = Vec::new();
            write(&mut bytes, &json, &blob).expect("short enough");
            let whole = read(&mut &bytes[..]).expect("whole");
            prop_assert_eq!(whole, Some(Frame { json, blob }));
            let cut = cut.min(bytes.len() - 1);
            match read(&mut &bytes[..cut]) {
                Ok(None) => prop_assert_eq!(cut, 0),
                Err(LinkError::Broken(_)) => prop_assert!(cut > 0),
                other => prop_assert!(false, "{:?} at {}", other, cut),
            }
        }
    }

    #[test]
    fn lengths_beyond_the_limits_are_refused_in_both_directions() {
        let long = vec![0; LINK_JSON_BYTES + 1];
        let mut out = Vec::new();
        let refused = write(&mut out, &long, &[]);
        assert!(matches!(refused, Err(LinkError::TooLong { part: "JSON", .. })), "{refused:?}");
        assert!(out.is_empty(), "bytes were written before the check");

        for (part, head) in [
            ("JSON", [&u32::MAX.to_le_bytes()[..], &[0; 4]].concat()),
            ("blob", [&[0; 4], &u32::MAX.to_le_bytes()[..]].concat()),
        ] {
            let refused = read(&mut &head[..]);
            let right = matches!(refused, Err(LinkError::TooLong { part: p, .. }) if p == part);
            assert!(right, "{part}: {refused:?}");
        }
    }
}
