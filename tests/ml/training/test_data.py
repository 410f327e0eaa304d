"""Collections are read in the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ml.imaging.phantom import draw_phantom
from ml.imaging.preprocess import prepare
from ml.training.data import (
    LayoutError,
    cache_prepared,
    load_pixels,
    read_boxes,
    read_layout,
    read_soft_labels,
    split_by_patient,
)


def draw_file(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.rint(draw_phantom(seed, 64).film * 255).astype(np.uint8))


def test_the_shared_layout_has_three_lists(tmp_path):
    head = "film,patient,labels,age,sex,view,split,official_list,boxes,quality,rsna\n"
    for number, source in enumerate(("films", "normals", "lungs_only")):
        draw_file(tmp_path / "nih" / source / f"{number}.webp")
        row = f"{number},p{number},Mass|Nodule,57,M,PA,val,test,0,,opacity\n"
        (tmp_path / "nih" / f"{source}.csv").write_text(head + row)
    films = read_layout(tmp_path)
    assert [film.source for film in films] == ["films", "normals", "lungs_only"]
    film = films[0]
    assert film.labels == {"Mass", "Nodule"}
    assert (film.age, film.sex, film.view, film.split) == (57.0, "M", "PA", "val")
    assert (film.reading, film.official) == ("opacity", "test")
    assert film.path.exists()


def test_kaggles_nih_folder_keeps_the_official_test_list(tmp_path):
    draw_file(tmp_path / "images_001" / "images" / "00000001_000.png")
    draw_file(tmp_path / "images_002" / "images" / "00000002_000.png")
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position\n"
        "00000001_000.png,No Finding,0,1,58,F,AP\n"
        "00000002_000.png,Effusion|Mass,0,2,61,M,PA\n"
        "00000003_000.png,Mass,0,3,61,M,PA\n"
    )
    (tmp_path / "test_list.txt").write_text("00000002_000.png\n")
    first, second = read_layout(tmp_path)
    assert first.labels == set()
    assert first.split in ("train", "val")
    assert (second.labels, second.split, second.view) == ({"Effusion", "Mass"}, "test", "PA")


def test_kaggles_chest_xray_folder_knows_pneumonia_and_its_patients(tmp_path):
    draw_file(tmp_path / "train" / "PNEUMONIA" / "person12_bacteria_46.jpeg")
    draw_file(tmp_path / "train" / "PNEUMONIA" / "person12_virus_3.jpeg")
    draw_file(tmp_path / "test" / "NORMAL" / "IM-0115-0001.jpeg")
    normal, *sick = read_layout(tmp_path)
    assert (normal.split, normal.labels) == ("test", set())
    assert {film.patient for film in sick} == {"PNEUMONIA/person12"}
    assert all(film.labels == {"Pneumonia"} for film in sick)


def test_a_folder_with_a_csv_is_read_by_its_column_names(tmp_path):
    draw_file(tmp_path / "pictures" / "a.png")
    (tmp_path / "list.csv").write_text("file,labels,patient\npictures/a.png,Edema,p7\n")
    (film,) = read_layout(tmp_path)
    assert (film.patient, film.labels) == ("p7", {"Edema"})


def test_any_other_folder_is_answered_with_what_was_looked_for(tmp_path):
    with pytest.raises(LayoutError, match=r"Data_Entry_2017\*\.csv"):
        read_layout(tmp_path)


def test_a_patient_stands_in_one_split_always():
    splits = [split_by_patient(f"p{number}", val=0.1, test=0.2) for number in range(2000)]
    assert splits == [split_by_patient(f"p{number}", val=0.1, test=0.2) for number in range(2000)]
    assert 0.17 < splits.count("test") / 2000 < 0.23
    assert 0.08 < splits.count("val") / 2000 < 0.12


def test_boxes_of_kaggles_list_become_fractions(tmp_path):
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "00000013_005.png,Infiltrate,256,512,128,64,,,\n"
    )
    (box,) = read_boxes(tmp_path)
    assert (box.film, box.label) == ("00000013_005", "Infiltration")
    assert box.corners == (0.25, 0.5, 0.375, 0.5625)


def test_no_soft_labels_is_no_fault(tmp_path):
    assert read_soft_labels(tmp_path) == {}


def test_prepared_films_are_those_of_serving_and_kept(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        draw_file(path, number)
    folder = tmp_path / "cache"
    cached = cache_prepared(paths, size=32, number=1, folder=folder)
    assert np.array_equal(cached[2], prepare(load_pixels(paths[2]), size=32, number=1))
    kept = list(folder.iterdir())
    paths[0].unlink()  # a second call does not need the files
    assert np.array_equal(cache_prepared(paths, size=32, number=1, folder=folder), cached)
    assert list(folder.iterdir()) == kept


def test_16_bit_films_are_read_in_full_depth(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.array([[0, 257], [32768, 65535]], np.uint16))
    assert load_pixels(path).max() == 1.0
    assert load_pixels(path)[0, 1] == pytest.approx(257 / 65535)


def test_a_file_that_is_no_film_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        load_pixels(tmp_path / "none.png")
