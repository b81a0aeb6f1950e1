//! The images, compiled in. `data/README.md` says where they come from and how the file is laid out.

const SIDE: usize = 8;
/// Pixels of one image, row by row.
pub(crate) const PIXELS: usize = SIDE * SIDE;
/// The digits 0 to 9.
pub(crate) const CLASSES: usize = 10;

const RECORD: usize = PIXELS + 1;
/// Every fifth image belongs to the test part, the others to the training part.
const TEST_EVERY: usize = 5;
/// Right and down, in pixels.
const MOVES: [(isize, isize); 5] = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)];

static BYTES: &[u8] = include_bytes!("../data/digits.bin");

/// One image: 64 pixels of 0 (white) to 16 (black), and the digit it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) pixels: [u8; PIXELS],
    pub(crate) label: usize,
}

impl Image {
    /// The image moved by whole pixels; what leaves the frame is lost, what enters it is white.
    fn shifted(&self, right: isize, down: isize) -> Self {
        let pixels = std::array::from_fn(|index| {
            let (row, column) = (index / SIDE, index % SIDE);
            match (row.checked_add_signed(-down), column.checked_add_signed(-right)) {
                (Some(row @ 0..SIDE), Some(column @ 0..SIDE)) => self.pixels[row * SIDE + column],
                _ => 0,
            }
        });
        Self { pixels, label: self.label }
    }
}

/// The images the network never sees while it learns.
pub(crate) fn test() -> Vec<Image> {
    part(true)
}

/// The images the network learns from.
pub(crate) fn train() -> Vec<Image> {
    part(false)
}

/// The same images as they are and moved by one pixel to each side, since a digit stays the same where it stands.
pub(crate) fn augmented(images: &[Image]) -> Vec<Image> {
    images.iter().flat_map(|image| MOVES.map(|(right, down)| image.shifted(right, down))).collect()
}

fn part(test: bool) -> Vec<Image> {
    let (records, _) = BYTES.as_chunks::<RECORD>();
    let numbered = records.iter().enumerate();
    numbered
        .filter(|(index, _)| (index % TEST_EVERY == TEST_EVERY - 1) == test)
        .map(|(_, [label, pixels @ ..])| Image { pixels: *pixels, label: usize::from(*label) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_whole_data_set() {
        assert_eq!(BYTES.len(), 1797 * RECORD);
        let (train, test) = (train(), test());
        assert_eq!((train.len(), test.len()), (1438, 359));
        let mut per_class = [0; CLASSES];
        for image in train.iter().chain(&test) {
            assert!(image.pixels.iter().all(|&pixel| pixel <= 16));
            per_class[image.label] += 1;
        }
        assert_eq!(per_class, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn a_moved_image_loses_what_leaves_the_frame() {
        let image = Image { pixels: std::array::from_fn(|index| index as u8), label: 3 };
        let [same, right, left, down, up] = MOVES.map(|(right, down)| image.shifted(right, down).pixels);
        assert_eq!(same, image.pixels);
        assert_eq!(
            (&right[8..16], &left[8..16]),
            (&[0, 8, 9, 10, 11, 12, 13, 14][..], &[9, 10, 11, 12, 13, 14, 15, 0][..])
        );
        assert_eq!((&down[..8], &down[8..]), (&[0; 8][..], &image.pixels[..56]));
        assert_eq!((&up[..56], &up[56..]), (&image.pixels[8..], &[0; 8][..]));
    }
}
