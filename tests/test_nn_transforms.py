"""Transforms of images: exact where they can be (quarter turns, no shift, pixels that only move), seeds, kinds, bad input."""

import colorsys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn.functional as F
from autograd import Generator, Tensor, tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from nn.utils.data import DataLoader, StackDataset, transforms
from nn.utils.data.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    CutMix,
    Cutout,
    GaussianNoise,
    MixUp,
    Normalize,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    RandomVerticalFlip,
    Resize,
    ToTensor,
    Transform,
)


def images(*shape, dtype=np.float32):
    """Images in which no two pixels are the same, none of them 0."""
    return (np.arange(np.prod(shape)) + 1).reshape(shape).astype(dtype)


def seeded(seed=0):
    return Generator().manual_seed(seed)


EACH = {
    "Normalize": lambda g: Normalize((0.5,), (0.2,)),
    "GaussianNoise": lambda g: GaussianNoise(generator=g),
    "Cutout": lambda g: Cutout(2, generator=g),
    "RandomHorizontalFlip": lambda g: RandomHorizontalFlip(generator=g),
    "RandomVerticalFlip": lambda g: RandomVerticalFlip(generator=g),
    "CenterCrop": lambda g: CenterCrop(3),
    "RandomCrop": lambda g: RandomCrop((3, 4), padding=1, generator=g),
    "RandomShift": lambda g: RandomShift(2, generator=g),
    "RandomRotation": lambda g: RandomRotation(30, generator=g),
    "RandomAffine": lambda g: RandomAffine(30, (0.2, 0.3), (0.8, 1.2), (-10, 10, -5, 5), "bilinear", 3, generator=g),
    "RandomErasing": lambda g: RandomErasing(0.9, generator=g),
    "Resize": lambda g: Resize((3, 8)),
    "Pad": lambda g: Pad((1, 2, 0, 3), 7),
    "Compose": lambda g: Compose([RandomShift(1, generator=g), Normalize([0.1, 0.2], [0.3, 0.4])]),
}
FLOATS_ONLY = {"Normalize", "GaussianNoise", "Compose"}


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8"])
def test_kinds_dtypes_and_shapes(name, dtype):
    if dtype == "uint8" and name in FLOATS_ONLY:
        with pytest.raises(DtypeError, match=r"needs images of floating-point numbers, got uint8"):
            EACH[name](seeded())(images(2, 5, 6, dtype=dtype))
        return
    x = images(3, 2, 5, 6, dtype=dtype)
    before = x.copy()
    array, drawn = EACH[name](seeded())(x), EACH[name](seeded())(tensor(x))
    assert type(array) is np.ndarray
    assert type(drawn) is Tensor
    assert array.dtype == drawn.dtype == dtype
    assert_array_equal(array, drawn.numpy())
    assert_array_equal(x, before)
    assert array.shape[:2] == (3, 2)
    one = EACH[name](seeded())(x[0])
    assert one.shape == array.shape[1:]
    assert EACH[name](seeded())(x[:0]).shape == (0, *one.shape)


@pytest.mark.parametrize("name", EACH)
def test_the_same_seed_gives_the_same(name):
    x = images(16, 2, 5, 6) / 1000
    assert_array_equal(EACH[name](seeded(3))(x), EACH[name](seeded(3))(x))
    if name not in ("Normalize", "CenterCrop", "Resize", "Pad"):
        assert (EACH[name](seeded(3))(x) != EACH[name](seeded(4))(x)).any()
        assert len({image.tobytes() for image in EACH[name](seeded(3))(np.repeat(x[:1], 16, 0))}) > 1, "each image has its own"
        autograd.manual_seed(7)
        first = EACH[name](None)(x)
        autograd.manual_seed(7)
        assert_array_equal(EACH[name](None)(x), first)


@pytest.mark.parametrize(
    "transform",
    [
        RandomShift(0), RandomHorizontalFlip(0), RandomVerticalFlip(0), RandomCrop((5, 6)), CenterCrop((5, 6)), RandomRotation(0),
        RandomRotation(0, "bilinear"), Cutout(0), GaussianNoise(sigma=0, clip=False), Normalize(0, 1), Compose([]), Pad(0),
        Resize((5, 6)), Resize(5), RandomAffine(0), RandomAffine(0, (0, 0), (1, 1), 0, "bilinear"), RandomErasing(0),
        RandomErasing(1, scale=(1, 1)),
    ],
    ids=lambda t: type(t).__name__,
)  # fmt: skip
def test_what_changes_nothing(transform):
    x = images(4, 2, 5, 6)
    assert_array_equal(transform(x), x)


def test_flips():
    x = images(200, 1, 3, 4)
    assert_array_equal(RandomHorizontalFlip(1.0)(x), x[..., ::-1])
    assert_array_equal(RandomVerticalFlip(1.0)(x), x[..., ::-1, :])
    flipped = RandomHorizontalFlip(0.3, generator=seeded())(x)
    which = (flipped != x).any((1, 2, 3))
    assert_array_equal(flipped, np.where(which[:, None, None, None], x[..., ::-1], x))
    assert 40 < which.sum() < 80


def test_shifts_are_all_there_and_move_whole_images():
    x = images(1, 1, 5, 5)
    seen = set()
    for shifted in RandomShift((1, 2), fill=-1, generator=seeded())(np.repeat(x, 300, 0)):
        (row,), (column,) = np.nonzero(shifted[0] == x[0, 0, 2, 2])
        moved = np.pad(x[0, 0], ((2, 2), (1, 1)), constant_values=-1)[4 - row : 9 - row, 3 - column : 8 - column]
        assert_array_equal(shifted[0], moved)
        seen.add((int(row) - 2, int(column) - 2))
    assert seen == {(down, across) for down in range(-2, 3) for across in (-1, 0, 1)}


def test_crops():
    x = images(1, 2, 4, 5)
    places = {crop[0, 0, 0] for crop in RandomCrop((3, 2), generator=seeded())(np.repeat(x, 200, 0))}
    assert places == {x[0, 0, i, j] for i in range(2) for j in range(4)}
    for crop in RandomCrop((3, 2), generator=seeded())(np.repeat(x, 20, 0)):
        (i,), (j,) = np.nonzero(x[0, 0] == crop[0, 0, 0])
        assert_array_equal(crop, x[0, :, i : i + 3, j : j + 2])
    assert_array_equal(CenterCrop(2)(x), x[:, :, 1:3, 2:4])
    assert_array_equal(CenterCrop((4, 3))(x), x[:, :, :, 1:4])
    assert_array_equal(RandomCrop((6, 7), padding=1)(x), np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))
    assert_array_equal(RandomCrop((4, 9), padding=(2, 0), fill=9)(x), np.pad(x, ((0, 0),) * 3 + ((2, 2),), constant_values=9))
    for mode in ("edge", "reflect", "symmetric"):
        assert_array_equal(RandomCrop((6, 7), 1, 5, mode)(x), np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("turns", [-3, -2, -1, 0, 1, 2, 3])
@pytest.mark.parametrize("size", [4, 5])
def test_quarter_turns_are_exact(turns, size, dtype):
    x = images(2, 3, size, size, dtype=dtype)
    turned = np.rot90(x, turns, (2, 3))
    assert_array_equal(RandomRotation((90 * turns, 90 * turns))(x), turned)
    assert_allclose(RandomRotation((90 * turns, 90 * turns), "bilinear")(x), turned, rtol=2e-6)


def test_half_turns_of_images_that_are_not_square():
    x = images(2, 1, 4, 7)
    assert_array_equal(RandomRotation((180, 180))(x), x[..., ::-1, ::-1])
    x = images(2, 1, 4, 6)
    quarter = RandomRotation((90, 90), fill=-1)(x)
    assert_array_equal(quarter[..., 1:5], np.rot90(x, 1, (2, 3))[:, :, 1:5])
    assert (quarter[..., [0, 5]] == -1).all(), "nothing turns in there, and what is turned out is lost"


def test_rotation_turns_a_pattern_by_the_angle():
    y, x = np.mgrid[-20:21, -30:31].astype(np.float32)
    ramp = (x * np.cos(0.5) - y * np.sin(0.5))[None]  # brightest at 0.5 counter-clockwise of the right, as y points down
    turned = RandomRotation((-np.rad2deg(0.5),) * 2, "bilinear")(ramp)[0]
    assert_allclose(turned[15:26, 20:41], x[15:26, 20:41], atol=1e-4)


def test_rotation_lies_between_the_angles():
    x = np.mgrid[-20:21, -20:21].astype(np.float32)[1]
    for degrees, low, high in ((30, -30, 30), ((10, 20), 10, 20)):
        turned = RandomRotation(degrees, "bilinear", generator=seeded())(np.repeat(x[None, None], 200, 0))
        angles = np.rad2deg(np.arctan2(turned[:, 0, 15, 20], turned[:, 0, 20, 25]))
        assert low - 0.1 <= angles.min() < low + (high - low) / 10
        assert high - (high - low) / 10 < angles.max() <= high + 0.1


def test_normalize():
    x = images(2, 3, 2, 2) / 7
    mean, std = [1, 2, 3], [0.5, 1, 2]
    assert_allclose(Normalize(mean, std)(x), (x - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1)), rtol=1e-6)
    assert_allclose(Normalize(tensor([1.0]), 2.0)(x), (x - 1) / 2)


def test_noise():
    x = np.full((4, 1, 50, 50), 0.5, np.float32)
    noise = GaussianNoise(0.1, 0.2, clip=False, generator=seeded())(x) - x
    assert abs(noise.mean() - 0.1) < 0.01
    assert abs(noise.std() - 0.2) < 0.01
    clipped = GaussianNoise(sigma=1, generator=seeded())(x)
    assert (clipped.min(), clipped.max()) == (0, 1)


def test_cutout():
    x = images(300, 2, 7, 8)
    cut = Cutout((2, 3), fill=-1, generator=seeded())(x)
    sizes = set()
    for image, hole in zip(x, cut == -1, strict=True):
        assert_array_equal(hole[0], hole[1])
        rows, columns = np.nonzero(hole[0].any(1))[0], np.nonzero(hole[0].any(0))[0]
        assert hole[0].sum() == len(rows) * len(columns), "a rectangle"
        assert len(rows) == np.ptp(rows) + 1
        sizes.add((len(rows), len(columns)))
        assert image.size
    assert_array_equal(np.where(cut == -1, x, cut), x)
    assert sizes == {(1, 2), (1, 3), (2, 2), (2, 3)}, "part of it may lie outside"


def test_to_tensor():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    t = ToTensor()(array)
    assert (t.shape, t.dtype) == ((3, 2, 4), np.float32)
    assert_array_equal(t.numpy(), array.transpose(2, 0, 1) / np.float32(255))
    assert ToTensor()(array[..., 0]).shape == (1, 2, 4)
    assert_array_equal(ToTensor()(array.astype(np.float64)).numpy(), array.transpose(2, 0, 1))


def test_mixup():
    x, y = images(6, 1, 2, 2), np.array([0, 1, 2, 0, 1, 2])
    mixed, rows = MixUp(0.4, num_classes=3, generator=seeded())(tensor(x), tensor(y))
    assert (mixed.dtype, rows.dtype, rows.shape) == (np.float32, np.float32, (6, 3))
    random = np.random.default_rng(0)
    share, other = random.beta(0.4, 0.4), random.permutation(6)
    assert_allclose(mixed.numpy(), share * x + (1 - share) * x[other], rtol=1e-6)
    onehot = np.eye(3)[y]
    assert_allclose(rows.numpy(), share * onehot + (1 - share) * onehot[other], rtol=1e-6)
    assert_allclose(rows.numpy().sum(1), 1, rtol=1e-6)
    again = MixUp(0.4, generator=seeded())(x, onehot)
    assert all(type(part) is np.ndarray for part in again)
    assert again[1].dtype == np.float64
    assert_allclose(again[1], rows.numpy(), rtol=1e-6)
    shares = [MixUp(1.0, generator=seeded(i))(np.ones((1, 1)), np.ones((1, 2)))[1].sum() for i in range(3)]
    assert_allclose(shares, 2)


def test_cutmix():
    x, y = images(6, 2, 8, 10), np.array([0, 1, 2, 0, 1, 2])
    kept = set()
    for seed in range(30):
        mixed, rows = CutMix(1.0, 3, seeded(seed))(tensor(x), tensor(y))
        random = np.random.default_rng(seed)
        share, other = random.beta(1.0, 1.0), random.permutation(6)
        pasted = (mixed.numpy() != x).any((0, 1)) & ~(mixed.numpy() == x).all((0, 1))
        rows_in, columns_in = pasted.any(1), pasted.any(0)
        assert_array_equal(pasted, np.outer(rows_in, columns_in))  # a rectangle, the same for all
        if (other != np.arange(6)).any():
            moved = other != np.arange(6)
            assert_array_equal(mixed.numpy()[moved], np.where(pasted, x[other], x)[moved])
            rest = 1 - pasted.mean()
            assert rest >= share - 1e-9, "it is as large as was drawn, but for what lies outside"
            assert_allclose(rows.numpy(), rest * np.eye(3)[y] + (1 - rest) * np.eye(3)[y[other]], atol=1e-6)
            kept.add(rest)
    assert len(kept) > 10
    again = CutMix(1.0, generator=seeded())(images(4, 1, 5, 5, dtype=np.uint8), np.eye(4))
    assert [part.dtype for part in again] == [np.uint8, np.float64]
    assert CutMix(1.0, 2)(images(2, 1, 5, 5, dtype=np.uint8), np.array([0, 1]))[1].dtype == np.float32


def test_resizing_is_interpolation():
    x = images(2, 3, 5, 8)
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area"):
        assert_allclose(Resize((7, 3), mode)(x), F.interpolate(tensor(x), (7, 3), mode=mode).numpy(), rtol=1e-6)
    assert Resize(10)(x).shape == (2, 3, 10, 16)
    assert Resize(3)(x.swapaxes(2, 3)).shape == (2, 3, 4, 3), "the shorter side; the other rounded down, as torchvision does"
    edge = np.repeat(np.array([0, 255], np.uint8), 4).reshape(1, 1, 1, 8).repeat(4, 2)
    wide = Resize((4, 24), "bicubic")(edge)
    assert set(wide[..., [0, -1]].ravel().tolist()) == {0, 255}
    assert (np.diff(wide[0, 0, 0].astype(int)) >= -9).all(), "what overshoots does not come out at the other end"


def test_padding():
    x = images(2, 3, 4, 5)
    for padding, (left, top, right, bottom) in ((2, (2, 2, 2, 2)), ((1, 2), (1, 2, 1, 2)), ((1, 2, 3, 0), (1, 2, 3, 0))):
        widths = ((0, 0), (0, 0), (top, bottom), (left, right))
        assert_array_equal(Pad(padding, fill=9)(x), np.pad(x, widths, constant_values=9))
        for mode in ("edge", "reflect", "symmetric"):
            assert_array_equal(Pad(padding, padding_mode=mode)(x), np.pad(x, widths, mode))


def by_pixels(image, angle, across, down, scale, lean, rise, fill):
    """Each pixel is the nearest one of where it comes from: by torchvision's matrix, forward, step by step."""
    (h, w), turn = image.shape, np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rises = np.array([[1, 0], [-np.tan(np.deg2rad(rise)), 1]])
    leans = np.array([[1, -np.tan(np.deg2rad(lean))], [0, 1]])
    out, middle = np.full_like(image, fill), np.array([(w - 1) / 2, (h - 1) / 2])
    for i in range(h):
        for j in range(w):
            away = np.array([j, i]) - middle - [across, down]
            x, y = np.rint(np.linalg.solve(scale * rotation @ rises @ leans, away) + middle).astype(int)
            if 0 <= x < w and 0 <= y < h:
                out[i, j] = image[y, x]
    return out


@pytest.mark.parametrize(
    ("angle", "scale", "lean", "rise"), [(33, 1, 0, 0), (0, 1.3, 0, 0), (0, 1, 25, 0), (0, 1, 0, -17), (-21, 0.8, 11, 7)]
)
def test_affine_maps_pixel_by_pixel(angle, scale, lean, rise):
    x = images(1, 1, 11, 16)
    shear = None if not (lean or rise) else (lean, lean, rise, rise)
    turned = RandomAffine((angle, angle), scale=(scale, scale), shear=shear, fill=-1)(x)
    assert_array_equal(turned[0, 0], by_pixels(x[0, 0], angle, 0, 0, scale, lean, rise, -1))
    if rise == 0:
        assert_array_equal(RandomAffine((angle, angle), scale=(scale, scale), shear=(lean, lean), fill=-1)(x), turned)


def test_what_affine_moves_it_moves_by_whole_pixels():
    x = images(1, 1, 10, 8)
    moved = RandomAffine((20, 20), (0.25, 0.3), fill=-1, generator=seeded())(np.repeat(x, 200, 0))
    random = np.random.default_rng(0)
    random.uniform(20, 20, 200)
    amounts = np.rint([random.uniform(-2, 2, 200), random.uniform(-3, 3, 200)]).astype(int).T
    for image, (across, down) in zip(moved, amounts, strict=True):
        assert_array_equal(image[0], by_pixels(x[0, 0], 20, across, down, 1, 0, 0, -1))
    assert {tuple(pair) for pair in amounts.tolist()} > {(across, down) for across in (-1, 0, 1) for down in (-2, -1, 0, 1, 2)}


def test_affine_amounts_lie_where_they_should():
    x = np.mgrid[-20:21, -20:21].astype(np.float32)[1]
    grown = RandomAffine(0, scale=(0.5, 2), interpolation="bilinear", generator=seeded())(np.repeat(x[None, None], 300, 0))
    factors = 1 / (grown[:, 0, 20, 22] / 2)
    assert 0.5 - 1e-4 <= factors.min() < 0.55
    assert 1.9 < factors.max() <= 2 + 1e-4


def test_erasing():
    x = images(400, 2, 20, 30) / 1000
    erased = RandomErasing(0.5, (0.1, 0.3), (0.5, 2), value=-1, generator=seeded())(x)
    shares, ratios = [], []
    for image, hole in zip(x, erased == -1, strict=True):
        assert_array_equal(hole[0], hole[1])
        rows, columns = np.nonzero(hole[0].any(1))[0], np.nonzero(hole[0].any(0))[0]
        assert hole[0].sum() == len(rows) * len(columns), "a rectangle"
        if len(rows):
            assert (len(rows), len(columns)) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
            shares.append(hole[0].mean())
            ratios.append(len(rows) / len(columns))
        assert image.size
    assert_array_equal(np.where(erased == -1, x, erased), x)
    assert 150 < len(shares) < 250
    assert 0.08 < min(shares) < 0.12 < 0.25 < max(shares) < 0.33
    assert 0.4 < min(ratios) < 0.7 < 1.4 < max(ratios) < 2.5
    colours = RandomErasing(1, value=(1, 2), generator=seeded())(x)
    assert {tuple(pixel) for pixel in np.moveaxis(colours, 1, -1)[(colours != x).any(1)].tolist()} == {(1.0, 2.0)}
    noise = RandomErasing(1, (0.3, 0.3), value="random", generator=seeded())(x)
    values = noise[noise != x]
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


def by_colours(image, change, amount):
    """An image with colours changed pixel by pixel, as the words say."""
    gray = image[0] * 0.299 + image[1] * 0.587 + image[2] * 0.114
    if change == "brightness":
        return np.clip(image * amount, 0, 1)
    if change in ("contrast", "saturation"):
        other = gray.mean() if change == "contrast" else gray
        return np.clip(amount * image + (1 - amount) * other, 0, 1)
    out = np.empty_like(image)
    for i, j in np.ndindex(*gray.shape):
        h, s, v = colorsys.rgb_to_hsv(*image[:, i, j])
        out[:, i, j] = colorsys.hsv_to_rgb((h + amount) % 1, s, v)
    return out


@pytest.mark.parametrize("change", ["brightness", "contrast", "saturation", "hue"])
def test_colours_are_changed_as_their_names_say(change):
    x = np.random.default_rng(0).random((2, 3, 6, 5))
    x[:, :, 0, 0] = 0.5  # a gray pixel has no hue
    for amount in (-0.3, 0.2, 0.5) if change == "hue" else (0, 0.4, 1, 1.8):
        jitter = ColorJitter(**{change: (amount, amount)})
        expected = np.stack([by_colours(image, change, amount) for image in x])
        assert_allclose(jitter(x), expected, rtol=1e-9, atol=1e-12)
        bytes_ = np.rint(x * 255).astype(np.uint8)
        assert np.abs(jitter(bytes_) / 255 - expected).max() < 0.02
    gray = x[:, :1]
    assert_allclose(ColorJitter(saturation=(0.5, 0.5), hue=(0.3, 0.3))(gray), gray, rtol=1e-12)


def test_each_image_has_its_own_colours_in_an_order_of_its_own():
    x = np.random.default_rng(0).random((1, 3, 4, 4))
    many = ColorJitter(brightness=(0.5, 0.5), contrast=(3, 3), generator=seeded())(np.repeat(x, 60, 0))
    dark, strong = (lambda y: by_colours(y, "brightness", 0.5)), (lambda y: by_colours(y, "contrast", 3))
    orders = [strong(dark(x[0])), dark(strong(x[0]))]
    which = [[bool(np.allclose(image, order)) for order in orders] for image in many]
    assert all(sum(row) == 1 for row in which)
    assert 15 < sum(row[0] for row in which) < 45
    amounts = ColorJitter(brightness=0.2, generator=seeded())(np.full((300, 1, 1, 1), 0.5)).ravel() / 0.5
    assert 0.8 <= amounts.min() < 0.82
    assert 1.18 < amounts.max() <= 1.2
    assert len(set(amounts)) == 300


def test_a_dataset_of_transformed_images_is_batched():
    augment = Compose([ToTensor(), RandomShift(1), Normalize((0.5,), (0.5,))])

    class Pictures:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return augment(np.full((3, 3), i * 50, np.uint8))

    x, y = next(iter(DataLoader(StackDataset(Pictures(), range(4)), batch_size=4)))
    assert (x.shape, x.dtype) == ((4, 1, 3, 3), np.float32)
    assert_allclose(x.numpy()[:, 0, 1, 1], np.arange(4) * 100 / 255 - 1, rtol=1e-6)
    assert y.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomHorizontalFlip(1.5), ArgumentError, "RandomHorizontalFlip: p lies between 0 and 1, got 1.5"),
        (lambda: RandomVerticalFlip(-1), ArgumentError, "RandomVerticalFlip: p lies between 0 and 1, got -1"),
        (lambda: RandomCrop(0), ArgumentError, "RandomCrop: size is a whole number, 1 or more, or two of them, got 0"),
        (lambda: RandomCrop((1, 2, 3)), ArgumentError, r"or two of them, got \(1, 2, 3\)"),
        (lambda: RandomCrop(2, -1), ArgumentError, "RandomCrop: padding is a whole number, 0 or more"),
        (lambda: RandomCrop(2, 1, padding_mode="wrap"), ArgumentError, "'reflect' or 'symmetric', got 'wrap'"),
        (lambda: RandomCrop(9)(images(1, 4, 5)), ShapeError, "RandomCrop: 9 x 9 pixels cannot be cut from 4 x 5; add padding"),
        (lambda: CenterCrop(9)(images(1, 4, 5)), ShapeError, "CenterCrop: 9 x 9 pixels cannot be cut"),
        (lambda: RandomShift(1.5), ArgumentError, "RandomShift: max_shift is a whole number"),
        (lambda: RandomRotation(-5), ArgumentError, "RandomRotation: degrees is a number, not negative, or the two"),
        (lambda: RandomRotation((5, 1)), ArgumentError, "or the two it lies between"),
        (lambda: RandomRotation(5, "cubic"), ArgumentError, "RandomRotation: interpolation is 'nearest', 'bilinear' or 'bicubic', got 'cubic'"),
        (lambda: RandomAffine((1, 2, 3)), ArgumentError, "RandomAffine: degrees is a number, not negative, or the two"),
        (lambda: RandomAffine(0, (0.1,)), ArgumentError, "RandomAffine: translate is two shares, across and down"),
        (lambda: RandomAffine(0, (0.1, 2)), ArgumentError, "RandomAffine: translate is"),
        (lambda: RandomAffine(0, scale=(0, 1)), ArgumentError, "RandomAffine: scale is .* 1e-06 or more"),
        (lambda: RandomAffine(0, shear=(1, 2, 3)), ArgumentError, r"RandomAffine: shear is a number, or two or four, got \(1, 2, 3\)"),
        (lambda: RandomAffine(0, shear=90), ArgumentError, "shear is .* from -89 to 89, got 90"),
        (lambda: ColorJitter(hue=0.6), ArgumentError, "ColorJitter: hue is .* from -0.5 to 0.5, got 0.6"),
        (lambda: ColorJitter(contrast=(-1, 1)), ArgumentError, r"ColorJitter: contrast is .* 0 or more, got \(-1, 1\)"),
        (lambda: ColorJitter(0.1)(images(2, 4, 4)), ShapeError, "images have 1 channel, or 3, red, green and blue, got 2"),
        (lambda: ColorJitter(0.1)(images(3, 4, 4, dtype=int)), DtypeError, "from 0 to 1, or bytes, got int64"),
        (lambda: RandomErasing(2), ArgumentError, "RandomErasing: p lies between 0 and 1"),
        (lambda: RandomErasing(scale=(0.5, 1.5)), ArgumentError, "RandomErasing: scale is .* from 0 to 1"),
        (lambda: RandomErasing(value="noise"), ArgumentError, "or 'random', got 'noise'"),
        (lambda: RandomErasing(value="random")(images(1, 4, 4, dtype=np.uint8)), DtypeError, "RandomErasing needs images of floating"),
        (lambda: RandomErasing(value=(1, 2, 3))(images(2, 4, 4)), ShapeError, "3 values do not fit 2 channels"),
        (lambda: Resize(0), ArgumentError, "Resize: size is a whole number, 1 or more"),
        (lambda: Resize(2, "cubic"), ArgumentError, "Resize: interpolation is 'nearest', .* or 'area', got 'cubic'"),
        (lambda: Pad((1, 2, 3)), ArgumentError, "Pad: padding is a whole number"),
        (lambda: Pad((1, 2, 3, -1)), ArgumentError, "0 or more, or two or four of them"),
        (lambda: Pad(1, padding_mode="wrap"), ArgumentError, "Pad: padding_mode is"),
        (lambda: CutMix()(images(2, 1, 2, 2), np.array([0, 1])), ArgumentError, "CutMix: classes as labels are a vector and need num_classes"),
        (lambda: CutMix(1.0, 2)(images(2, 1), np.array([0, 1])), ShapeError, r"CutMix: images have shape \(N, C, H, W\), got \(2, 1\)"),
        (lambda: Cutout(-1), ArgumentError, "Cutout: size is a whole number, 0 or more"),
        (lambda: GaussianNoise(sigma=-1), ArgumentError, "GaussianNoise: sigma is not negative, got -1"),
        (lambda: Normalize([0.5], [0.0]), ArgumentError, "Normalize: standard deviations are positive"),
        (lambda: Normalize([0.5, 0.5], [1, 1])(images(3, 2, 2)), ShapeError, "2 means and 2 deviations do not fit 3 channels"),
        (lambda: RandomShift(1)(images(2, 2)), ShapeError, r"images have shape \(C, H, W\) or \(N, C, H, W\), got \(2, 2\)"),
        (lambda: RandomShift(1)([[1]]), UnsupportedError, "RandomShift works on tensors and arrays, got list"),
        (lambda: ToTensor()(images(1, 1, 1, 1)), ShapeError, r"ToTensor: an image has shape \(H, W\) or \(H, W, C\)"),
        (lambda: Transform()(images(1, 1, 1)), NotImplementedError, "define transform"),
        (lambda: MixUp(0), ArgumentError, "MixUp: alpha is positive, got 0"),
        (lambda: MixUp()(images(2, 1), np.array([0, 1])), ArgumentError, "need num_classes, all below it, got None"),
        (lambda: MixUp(1.0, 2)(images(2, 1), np.array([0, 2])), ArgumentError, "all below it, got 2"),
        (lambda: MixUp(1.0, 2)(images(3, 1), np.array([0, 1])), ShapeError, r"same length, got shapes \(3, 1\) and \(2,\)"),
        (lambda: MixUp(1.0, 2)(images(2, 1, dtype=np.uint8), np.array([0, 1])), DtypeError, "MixUp needs images of floating-point"),
    ],
)  # fmt: skip
def test_bad_transforms_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_gradients_are_not_lost_silently():
    with pytest.raises(RuntimeError, match="detach"):
        RandomShift(1)(autograd.ones(1, 2, 2, requires_grad=True))


def test_transforms_has_what_its_index_says():
    assert all(hasattr(transforms, name) for name in transforms.__all__)
