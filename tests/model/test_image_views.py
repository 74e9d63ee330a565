import io

import numpy as np
import pandas as pd
import torch
from PIL import Image

from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.model.images import ImageReader
from dermlab.model.views import _random_box, augmented_view, centre_view, decode


def jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def ramp(width: int, height: int) -> Image.Image:
    """Red grows from 0 to 255 from left to right."""
    row = np.linspace(0, 255, width).round().astype(np.uint8)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = row
    return Image.fromarray(pixels)


def test_the_test_view_is_the_centre_of_seven_eighths_of_the_short_side():
    view = centre_view(ramp(320, 160), 70)
    assert view.shape == (70, 70, 3)
    # The square is 140 wide and centred: from x = 90 to 230 of 320, where red is 72 to 183.
    assert abs(int(view[35, 0, 0]) - 72) <= 2
    assert abs(int(view[35, -1, 0]) - 183) <= 2


def test_a_small_image_is_not_enlarged_where_more_of_it_can_be_shown():
    image = ramp(140, 140)  # 0.875 of 140 is 122, fewer pixels than the 128 asked for
    np.testing.assert_array_equal(centre_view(image, 128), np.asarray(image)[6:134, 6:134])


def test_training_views_differ_between_epochs_and_repeat_within_one():
    image = ramp(200, 160)
    first, again, next_epoch = (augmented_view(image, 64, np.random.default_rng([17, epoch, 3])) for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != next_epoch).any()


def test_training_views_never_shift_the_hue():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[...] = (200, 120, 90)
    for seed in range(50):
        red, green, blue = augmented_view(Image.fromarray(pixels), 32, np.random.default_rng(seed))[0, 0].astype(int)
        assert red > green > blue
        assert abs((red - green) / (red - blue) - 80 / 110) < 0.03  # the hue angle


def test_a_large_jpeg_is_decoded_at_a_fraction_but_never_below_twice_the_view():
    large = jpeg(np.asarray(ramp(1200, 900)))
    assert decode(large, 100).size == (300, 225)
    assert decode(large, 448).size == (1200, 900)


def write_images(folder, count=7):
    random = np.random.default_rng(0)
    write_shard(
        folder / shard_name(0), map(str, range(count)), [jpeg(random.integers(0, 255, (40, 50, 3), np.uint8)) for _ in range(count)]
    )
    return pd.DataFrame({"image_id": list(map(str, range(count))), "shard": 0, "row": range(count)})


def test_batches_come_in_the_order_asked_for_and_lie_channels_last(tmp_path):
    rows = write_images(tmp_path)
    shards = Shards(tmp_path)
    order = [6, 0, 3, 2, 5]
    batches = list(ImageReader(shards, 32).batches(rows.iloc[order], 2))
    assert [positions.tolist() for positions, _ in batches] == [[0, 1], [2, 3], [4]]
    images = batches[0][1]
    assert images.shape == (2, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(images[1].permute(1, 2, 0), centre_view(decode(shards.jpeg(0, 0), 32), 32))


def test_processes_give_the_same_views_as_none_and_serve_one_epoch_after_the_other(tmp_path):
    rows = write_images(tmp_path)
    readers = [ImageReader(Shards(tmp_path), 32, processes) for processes in (0, 1)]
    for epoch in (1, 2):
        seeds = [(17, epoch, i) for i in range(7)]
        here, there = ([images for _, images in reader.batches(rows, 4, seeds)] for reader in readers)
        assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
    processes = [worker.pid for worker in readers[1]._loader._iterator._workers]
    next(iter(readers[1].batches(rows, 2)))  # left in the middle
    assert [len(positions) for positions, _ in readers[1].batches(rows.iloc[:3], 2)] == [2, 1]
    assert [worker.pid for worker in readers[1]._loader._iterator._workers] == processes


def test_a_training_view_follows_from_its_seed_alone(tmp_path):
    rows, reader = write_images(tmp_path), ImageReader(Shards(tmp_path), 32)
    whole = torch.cat([images for _, images in reader.batches(rows, 7, [(17, 0, i) for i in range(7)])])
    late = torch.cat([images for _, images in reader.batches(rows.iloc[4:], 2, [(17, 0, i) for i in range(4, 7)])])
    assert torch.equal(whole[4:], late)
    other = torch.cat([images for _, images in reader.batches(rows, 7, [(17, 1, i) for i in range(7)])])
    assert not torch.equal(whole, other)


def test_reading_draws_nothing_from_torchs_own_random_numbers(tmp_path):
    rows, reader = write_images(tmp_path), ImageReader(Shards(tmp_path), 32)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    list(reader.batches(rows, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_flip_and_a_change_of_light_are_what_numpy_makes_of_them():
    image = ramp(90, 70)
    for seed in range(8):
        random, again = np.random.default_rng(seed), np.random.default_rng(seed)
        box = _random_box(image.size, again)
        pixels = np.asarray(image.resize((40, 40), Image.Resampling.BICUBIC, box=box)).astype(float)
        pixels = pixels[:, ::-1] if again.random() < 0.5 else pixels
        pixels = pixels[::-1] if again.random() < 0.5 else pixels
        brightness, contrast = again.uniform(0.85, 1.15, 2)
        expected = np.clip((pixels - pixels.mean()) * contrast + pixels.mean() * brightness, 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(augmented_view(image, 40, random), expected)
