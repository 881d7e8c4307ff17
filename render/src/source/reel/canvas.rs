//! The page that patches of a moving picture are laid on.

use std::time::Duration;

use crate::scene::Size;

/// What becomes of a patch when the next one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispose {
    /// It stays.
    Keep,
    /// Its rectangle becomes see-through.
    Clear,
    /// Its rectangle becomes what it was before.
    Restore,
}

/// A rectangle; may reach beyond the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub x_px: u32,
    pub y_px: u32,
    pub size: Size,
}

/// What changes from one picture to the next.
pub(super) struct Patch {
    pub spot: Spot,
    /// Straight alpha, four bytes a pixel.
    pub rgba: Vec<u8>,
    /// What is below shines through; else it is replaced, alpha and all.
    pub over: bool,
    pub dispose: Dispose,
    /// How long the file says it is shown.
    pub lasts: Duration,
}

/// The page, and what to do before the next patch.
pub(super) struct Canvas {
    size: Size,
    rgba: Vec<u8>,
    before: Option<Before>,
}

struct Before {
    spot: Spot,
    /// What to lay there; None: nothing.
    saved: Option<Vec<u8>>,
}

impl Canvas {
    /// A see-through page.
    pub(super) fn new(size: Size) -> Canvas {
        let pixels = size.width_px as usize * size.height_px as usize;
        Canvas { size, rgba: vec![0; pixels * 4], before: None }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The whole picture, straight alpha.
    pub(super) fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// See-through again.
    pub(super) fn clear(&mut self) {
        self.rgba.fill(0);
        self.before = None;
    }

    /// Disposes of the patch before and lays this one.
    pub(super) fn lay(&mut self, patch: &Patch) {
        if let Some(Before { spot, saved }) = self.before.take() {
            self.put(spot, saved.as_deref());
        }
        self.before = match patch.dispose {
            Dispose::Keep => None,
            Dispose::Clear => Some(Before { spot: patch.spot, saved: None }),
            Dispose::Restore => {
                Some(Before { spot: patch.spot, saved: Some(self.cut(patch.spot)) })
            }
        };
        let mix = if patch.over { over } else { <[u8]>::copy_from_slice };
        let from = patch.rgba.chunks_exact(row_bytes(patch.spot).max(1));
        for (row, from) in self.rows(patch.spot).zip(from) {
            let pixels = row.chunks_exact_mut(4).zip(from.chunks_exact(4));
            pixels.for_each(|(to, from)| mix(to, from));
        }
    }

    fn put(&mut self, spot: Spot, saved: Option<&[u8]>) {
        let Some(saved) = saved else {
            return self.rows(spot).for_each(|row| row.fill(0));
        };
        let mut saved = saved;
        for row in self.rows(spot) {
            let Some((from, rest)) = saved.split_at_checked(row.len()) else { return };
            row.copy_from_slice(from);
            saved = rest;
        }
    }

    fn cut(&mut self, spot: Spot) -> Vec<u8> {
        self.rows(spot).flat_map(|row| row.iter().copied()).collect()
    }

    /// The rows of a spot, as far as they lie on the page.
    fn rows(&mut self, spot: Spot) -> impl Iterator<Item = &mut [u8]> {
        let Size { width_px, height_px } = self.size;
        let left = spot.x_px.min(width_px);
        let right = spot.x_px.saturating_add(spot.size.width_px).min(width_px);
        let top = spot.y_px.min(height_px);
        let count = spot.size.height_px.min(height_px - top);
        let rows = self.rgba.chunks_exact_mut((width_px as usize * 4).max(1));
        rows.skip(top as usize)
            .take(count as usize)
            .filter_map(move |row| row.get_mut(left as usize * 4..right as usize * 4))
    }
}

fn row_bytes(spot: Spot) -> usize {
    spot.size.width_px as usize * 4
}

/// One straight pixel over another one.
fn over(to: &mut [u8], from: &[u8]) {
    let ([red, green, blue, alpha], [_, _, _, below]) = (from, &*to) else { return };
    match *alpha {
        0 => {}
        255 => to.copy_from_slice(from),
        _ => {
            let (top, under) =
                (u32::from(*alpha) * 255, u32::from(*below) * u32::from(255 - *alpha));
            let all = top + under;
            for (to, from) in to.iter_mut().zip([red, green, blue]) {
                *to = ((u32::from(*from) * top + u32::from(*to) * under + all / 2) / all) as u8;
            }
            if let Some(to) = to.last_mut() {
                *to = ((all + 127) / 255) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u8; 4] = [0; 4];
    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];

    fn patch(x_px: u32, colour: [u8; 4], over: bool, dispose: Dispose) -> Patch {
        let spot = Spot { x_px, y_px: 0, size: Size { width_px: 2, height_px: 1 } };
        Patch { spot, rgba: colour.repeat(2), over, dispose, lasts: Duration::ZERO }
    }

    #[test]
    fn patches_are_laid_and_disposed_of_as_the_table_says() {
        let half = [0, 0, 255, 128];
        for (case, patches, want) in [
            (
                "replaced",
                vec![patch(0, RED, false, Dispose::Keep), patch(1, BLUE, false, Dispose::Keep)],
                [RED, BLUE, BLUE],
            ),
            (
                "cleared",
                vec![patch(0, RED, false, Dispose::Clear), patch(2, BLUE, false, Dispose::Keep)],
                [NONE, NONE, BLUE],
            ),
            (
                "restored",
                vec![
                    patch(0, RED, false, Dispose::Keep),
                    patch(0, BLUE, false, Dispose::Restore),
                    patch(2, BLUE, false, Dispose::Keep),
                ],
                [RED, RED, BLUE],
            ),
            (
                "over",
                vec![patch(0, RED, false, Dispose::Keep), patch(0, half, true, Dispose::Keep)],
                [[127, 0, 128, 255], [127, 0, 128, 255], NONE],
            ),
            ("over nothing", vec![patch(0, half, true, Dispose::Keep)], [half, half, NONE]),
            (
                "see-through replaces",
                vec![patch(0, RED, false, Dispose::Keep), patch(0, NONE, false, Dispose::Keep)],
                [NONE; 3],
            ),
            (
                "beyond the page",
                vec![patch(9, RED, true, Dispose::Restore), patch(2, RED, true, Dispose::Keep)],
                [NONE, NONE, RED],
            ),
        ] {
            let mut canvas = Canvas::new(Size { width_px: 3, height_px: 1 });
            patches.iter().for_each(|patch| canvas.lay(patch));
            assert_eq!(canvas.rgba(), want.concat(), "{case}");
        }
    }
}
