//! A colour profile for four inks, small enough to be written down.

/// Everything with magenta in it is blue, everything else without black is white; black is black.
///
/// Source: ICC.1:2004-10, sections 7 (header) and 10.9 (`mft1`).
pub fn print() -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    let one = 65_536u32.to_be_bytes();
    for place in 0..9 {
        table.extend(if place % 4 == 0 { one } else { [0; 4] });
    }
    let straight: Vec<u8> = (0..=255).collect();
    (0..4).for_each(|_| table.extend(&straight));
    // Lab in 8 bits: lightness of 255, both axes from 128. Black changes fastest, cyan slowest.
    for corner in 0..16u8 {
        let (magenta, black) = (corner & 4 != 0, corner & 1 != 0);
        table.extend(match (magenta, black) {
            (_, true) => [0, 128, 128],
            (true, false) => [90, 160, 40],
            (false, false) => [255, 128, 128],
        });
    }
    (0..3).for_each(|_| table.extend(&straight));
    let mut file = vec![0; 128];
    file[8..12].copy_from_slice(&[2, 0x10, 0, 0]);
    file[12..16].copy_from_slice(b"prtr");
    file[16..20].copy_from_slice(b"CMYK");
    file[20..24].copy_from_slice(b"Lab ");
    file[24..36].copy_from_slice(&[7, 0xd0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    file[36..40].copy_from_slice(b"acsp");
    // The light of the connection space, D50.
    file[68..80].copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    file.extend(1u32.to_be_bytes());
    file.extend(b"A2B0");
    file.extend(144u32.to_be_bytes());
    file.extend((table.len() as u32).to_be_bytes());
    file.extend(&table);
    let length = (file.len() as u32).to_be_bytes();
    file[..4].copy_from_slice(&length);
    file
}
