//! HEIF, the container that AVIF pictures come in: boxes, items, and what is said of them.
//!
//! In:  a file's bytes. Out: the items that make its one picture, with their properties.
//!
//! Promises, held by `any_bytes_are_read_without_harm`: no bytes make it panic, and it holds no more
//! than the file has.
//!
//! Sources: ISO/IEC 14496-12, section 4.2 (boxes), 8.11 (items); ISO/IEC 23008-12, section 6.

use std::ops::Range;

/// Kind of a box, an item or a property.
pub(super) type Name = [u8; 4];

/// Of the items of a file, those that are needed.
pub(super) struct Heif<'a> {
    file: &'a [u8],
    infos: Vec<Info<'a>>,
    locations: Reader<'a>,
    references: Option<Reader<'a>>,
    properties: Vec<(Name, &'a [u8])>,
    associations: Vec<Association>,
    inside: &'a [u8],
    /// The item that is the picture.
    pub primary: u32,
}

struct Info<'a> {
    item: u32,
    kind: &'a [u8],
}

/// A property of an item.
struct Association {
    item: u32,
    /// Counted from one.
    property: usize,
    essential: bool,
}

/// A property as its item has it.
pub(super) struct Property<'a> {
    pub name: Name,
    pub body: Reader<'a>,
    /// Who does not know it cannot show the item as it should be.
    pub essential: bool,
}

type Result<T> = std::result::Result<T, String>;

/// Whether these bytes begin as a HEIF file that calls itself one of `brands`.
pub(super) fn has_brand(bytes: &[u8], brands: &[Name]) -> bool {
    let first = Reader(bytes).next_box();
    let Ok(Some((name, Reader(body)))) = first else { return false };
    let is_known = |brand: &[u8]| brands.iter().any(|known| known == brand);
    // The version stands where a second brand would.
    name == *b"ftyp" && body.chunks_exact(4).enumerate().any(|(n, brand)| n != 1 && is_known(brand))
}

impl<'a> Heif<'a> {
    /// # Errors
    /// What is missing or cut off.
    pub(super) fn read(file: &'a [u8]) -> Result<Heif<'a>> {
        let mut meta = Reader(file).child(b"meta")?.ok_or("no \"meta\" box in it")?;
        meta.version()?;
        let wanted = |name: &Name| {
            let missing = || format!("no {:?} box in it", String::from_utf8_lossy(name));
            meta.child(name)?.ok_or_else(missing)
        };
        let mut primary = wanted(b"pitm")?;
        let primary = if primary.version()? == 0 { primary.uint(2)? } else { primary.uint(4)? };
        let shared = wanted(b"iprp")?;
        let missing = "no \"ipco\" box in it";
        let properties = shared.child(b"ipco")?.ok_or(missing)?.all()?;
        Ok(Heif {
            file,
            infos: infos(wanted(b"iinf")?)?,
            locations: wanted(b"iloc")?,
            references: meta.child(b"iref")?,
            properties: properties.into_iter().map(|(name, body)| (name, body.0)).collect(),
            associations: associations(&shared)?,
            inside: meta.child(b"idat")?.map_or(&[], |body| body.0),
            primary: primary as u32,
        })
    }

    /// What kind an item is of.
    pub(super) fn kind(&self, item: u32) -> Option<&'a [u8]> {
        self.infos.iter().find(|info| info.item == item).map(|info| info.kind)
    }

    /// The properties of an item, in the order in which they change it.
    pub(super) fn properties(&self, item: u32) -> Result<Vec<Property<'a>>> {
        let own = self.associations.iter().filter(|own| own.item == item && own.property > 0);
        own.map(|own| {
            let missing = || format!("no property {} in it", own.property);
            let (name, body) = self.properties.get(own.property - 1).ok_or_else(missing)?;
            Ok(Property { name: *name, body: Reader(body), essential: own.essential })
        })
        .collect()
    }

    /// From which item to which one there is a reference of this kind.
    pub(super) fn references(&self, kind: &Name) -> Result<Vec<(u32, u32)>> {
        let Some(mut from) = self.references else { return Ok(Vec::new()) };
        let id_bytes = if from.version()? == 0 { 2 } else { 4 };
        let mut found = Vec::new();
        while let Some((name, mut body)) = from.next_box()? {
            let item = body.uint(id_bytes)? as u32;
            for _ in 0..body.uint(2)? {
                let to = body.uint(id_bytes)? as u32;
                if name == *kind {
                    found.push((item, to));
                }
            }
        }
        Ok(found)
    }

    /// An item's bytes, put together.
    ///
    /// # Errors
    /// They are not in this file, or more than there is of it.
    pub(super) fn data(&self, item: u32) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (inside, range) in self.extents(item)? {
            let from = if inside { self.inside } else { self.file };
            let end = if range.end == range.start { from.len() } else { range.end };
            let part = from.get(range.start..end).ok_or("its picture ends behind the file")?;
            if bytes.len() + part.len() > self.file.len() {
                return Err("its picture is larger than the file".to_owned());
            }
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// Where the parts of an item lie: in the box for data, or in the file. An empty one goes up to
    /// the end.
    fn extents(&self, wanted: u32) -> Result<Vec<(bool, Range<usize>)>> {
        let mut from = self.locations;
        let version = from.version()?;
        let sizes = from.uint(2)? as usize;
        let [offset, length, base, index] = [12, 8, 4, 0].map(|shift| sizes >> shift & 15);
        let index = if version == 0 { 0 } else { index };
        let id_bytes = if version < 2 { 2 } else { 4 };
        for _ in 0..from.uint(id_bytes)? {
            let item = from.uint(id_bytes)? as u32;
            let method = if version == 0 { 0 } else { from.uint(2)? & 15 };
            let elsewhere = from.uint(2)? != 0;
            let base = from.uint(base)?;
            let count = from.uint(2)?;
            if item != wanted {
                from.take(clamped(count) * (index + offset + length))?;
                continue;
            }
            if elsewhere || method > 1 {
                return Err("its picture is elsewhere".to_owned());
            }
            let extent = |_| {
                from.uint(index)?;
                let start = base.saturating_add(from.uint(offset)?);
                let end = start.saturating_add(from.uint(length)?);
                Ok((method == 1, clamped(start)..clamped(end)))
            };
            return (0..count).map(extent).collect();
        }
        Err("no bytes for its picture".to_owned())
    }
}

fn clamped(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn infos(mut from: Reader) -> Result<Vec<Info>> {
    // How many there are is seen from the boxes.
    let count_bytes = if from.version()? == 0 { 2 } else { 4 };
    from.uint(count_bytes)?;
    let mut infos = Vec::new();
    while let Some((name, mut body)) = from.next_box()? {
        let version = body.version()?;
        // Older ones have no kind.
        if name != *b"infe" || version < 2 {
            continue;
        }
        let item = body.uint(if version == 2 { 2 } else { 4 })? as u32;
        body.uint(2)?;
        infos.push(Info { item, kind: body.take(4)? });
    }
    Ok(infos)
}

fn associations(shared: &Reader) -> Result<Vec<Association>> {
    let mut found = Vec::new();
    for (name, mut from) in shared.all()? {
        if name != *b"ipma" {
            continue;
        }
        let flags = from.uint(4)?;
        let id_bytes = if flags >> 24 == 0 { 2 } else { 4 };
        let (bytes, mark) = if flags & 1 == 0 { (1, 0x80) } else { (2, 0x8000) };
        for _ in 0..from.uint(4)? {
            let item = from.uint(id_bytes)? as u32;
            for _ in 0..from.uint(1)? {
                let value = from.uint(bytes)?;
                let (property, essential) = (clamped(value & (mark - 1)), value & mark != 0);
                found.push(Association { item, property, essential });
            }
        }
    }
    Ok(found)
}

/// Bytes that are read off the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count).ok_or("a box is cut off")?;
        self.0 = rest;
        Ok(head)
    }

    /// A number of up to eight bytes, the highest first.
    pub(super) fn uint(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The version that many boxes begin with, and its flags.
    fn version(&mut self) -> Result<u64> {
        Ok(self.uint(4)? >> 24)
    }

    fn next_box(&mut self) -> Result<Option<(Name, Reader<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let short = self.uint(4)?;
        let name = self.take(4)?;
        let length = match short {
            0 => self.0.len(),
            1 => clamped(self.uint(8)?.checked_sub(16).ok_or("a box is shorter than its head")?),
            _ => clamped(short.checked_sub(8).ok_or("a box is shorter than its head")?),
        };
        let name = name.try_into().map_err(|_| "a box is cut off")?;
        Ok(Some((name, Reader(self.take(length)?))))
    }

    fn all(&self) -> Result<Vec<(Name, Reader<'a>)>> {
        let (mut from, mut all) = (*self, Vec::new());
        while let Some(one) = from.next_box()? {
            all.push(one);
        }
        Ok(all)
    }

    /// The first box of this name; what follows it is not looked at.
    fn child(&self, wanted: &Name) -> Result<Option<Reader<'a>>> {
        let mut from = *self;
        while let Some((name, body)) = from.next_box()? {
            if name == *wanted {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }
}
