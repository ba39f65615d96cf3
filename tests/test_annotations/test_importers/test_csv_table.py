"""Tables: what columns are taken as, and rows that contradict each other."""
import json

import numpy as np
import pytest
from PIL import Image

from mmwindow import cli
from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations


@pytest.fixture
def read(tmp_path):
    """Import a table; return the report and the records."""
    (tmp_path / 'images').mkdir()
    for name in ('a.png', 'b.png', 'c.png'):
        Image.fromarray(np.full((40, 50), 128, np.uint8)).save(tmp_path / 'images' / name)

    def read(table, columns=None, **settings):
        (tmp_path / 'a.csv').write_text(table, encoding='utf-8')
        report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', tmp_path / 'images',
                                    ImportOptions(columns=columns or {}),
                                    AssemblySettings(**settings))
        return report, read_point_file(report.path, readers='all').records
    return read


@pytest.mark.parametrize('x, y', [('x_center', 'y_center'), ('cx', 'cy'), ('xc', 'yc'),
                                  ('center_x', 'center_y'), ('X Centre', 'Y Centre')])
@pytest.mark.parametrize('width, height', [('width', 'height'), ('w', 'h')])
def test_a_centre_with_a_size_is_the_middle_of_its_box(read, x, y, width, height):
    _, (record, ) = read(f'image,{x},{y},{width},{height}\na.png,20,10,8,4\n')
    assert record.points == [(20., 10.)] and record.boxes == [(16., 8., 24., 12.)]
    _, (record, ) = read(f'image,{x},{y}\na.png,20,10\n')
    assert record.points == [(20., 10.)] and record.boxes == [None]


def test_a_corner_with_a_size_stays_one(read):
    _, (record, ) = read('image,x,y,w,h\na.png,20,10,8,4\n')
    assert record.points == [(24., 12.)] and record.boxes == [(20., 10., 28., 14.)]
    table = 'image,x_center,y_center,w,h\na.png,20,10,8,4\n'
    with pytest.raises(ValueError, match=r"'x_center' names its centre; --columns cx=x_center"):
        read(table, dict(x='x_center', y='y_center'))
    _, (record, ) = read(table.replace('x_c', 'mid_x_c').replace('y_c', 'mid_y_c'),
                         dict(cx='mid_x_center', cy='mid_y_center'))
    assert record.boxes == [(16., 8., 24., 12.)]


def test_a_point_may_be_named_as_a_centre(read):
    _, (record, ) = read('image,x_center,y_center\na.png,20,10\n', dict(x='x_center', y='y_center'))
    assert record.points == [(20., 10.)]


GROUPS = ('file,x,y,patient,group,readers,sex\na.png,1,2,p1,case,2,F\nb.png,,,,control,2,M\n'
          'c.png,,,,control,2,F\n')


@pytest.mark.parametrize('settings, patients', [({}, ['p1', None, None]),
                                                (dict(patients_from='none'), [None] * 3)])
def test_a_column_named_as_an_entry_of_the_point_file_is_no_such_entry(read, settings, patients):
    report, records = read(GROUPS, **settings)
    assert [record.group for record in records] == patients
    assert [record.fields for record in records] == [dict(sex=sex) for sex in 'FMF']
    assert 'readers' not in json.loads(report.path.read_text())['images'][0]
    (words, number), = report.counts.items()
    assert number == 2 and 'fields of the source left out' in words and '(group, readers)' in words


@pytest.mark.parametrize('column', ['PatientID', 'Patient ID', 'patient-id', 'Subject_ID'])
def test_an_identifier_next_to_an_image_is_its_patient_and_no_field(read, column):
    report, records = read(f'{column},file,x,y\n17,a.png,1,2\n17,b.png,,\n18,c.png,,\n')
    assert [record.group for record in records] == ['17', '17', '18']
    assert report.num_groups == 2 and all(not record.fields for record in records)


def test_an_identifier_alone_names_the_image_as_in_the_rsna_challenge(read):
    _, records = read('patientId,x,y,width,height\na,1,2,4,4\nb,,,,\n')
    assert [(record.file_name, record.group) for record in records] == [('a.png', None),
                                                                        ('b.png', None)]


@pytest.mark.parametrize('table, words', [
    ('image,x,y,reader\na.png,1,2,A\nb.png,,,\n', 'line 3 names no reader, but line 2 names one; '
     'name the reader in all rows'),
    ('image,x,y,reader\na.png,1,2,\nb.png,,,A\n', 'line 3 names one, but line 2 names no reader'),
    ('image,x,y,reader\na.png,1,2,A\na.png,,,B\na.png,,,A\n',
     'line 4 says that nothing was found in it, but line 2 has a finding in this image'),
    ('image,x,y\na.png,,\nb.png,,\na.png,1,2\n',
     'line 4 has a finding in this image, but line 2 says that nothing was found in it'),
    ('image,x,y,reader\na.png,1,2,NA\n', "line 2 has the reader 'NA', a word for a setting or a mis"),
    ('image,x,y,patient\na.png,1,2,NA\nb.png,,,NA\n', "line 2: its group is the word 'NA'"),
    ('image,x,y,patient\na.png,1,2,#N/A\n', "line 2: its group is the word '#N/A'"),
    ('image,x,y\na.png,NA,NA\n', "line 2: x is 'NA'; a finite number is expected, or empty cells w"),
    ('image,x,y\na.png,1,n/a\n', "line 2: y is 'n/a'; a finite number is expected, or empty cells"),
    ('image,x,x,y\na.png,1,2,3\n', "a.csv: the column 'x' is there twice"),
    ('image,x,y,age,age\na.png,1,2,3,4\n', "a.csv: the column 'age' is there twice"),
    ('image,x,X,y\na.png,1,2,3\n', "the columns 'x' and 'X' may both be x; --columns x=NAME"),
])
def test_rows_and_columns_that_contradict_each_other_are_named(read, table, words, tmp_path):
    with pytest.raises(ValueError) as caught:
        read(table)
    assert words in str(caught.value) and not (tmp_path / 'out').exists()


def test_one_of_two_columns_can_be_chosen(read):
    _, (record, ) = read('image,x,X,y\na.png,1,2,3\n', dict(x='X'))
    assert record.points == [(2., 3.)]


def test_readers_who_agree_or_not_and_repeated_empty_rows(read):
    _, (first, second) = read('image,x,y,reader\na.png,1,2,A\na.png,,,B\na.png,3,4,A\nb.png,,,A\n'
                              'b.png,,,A\n')
    assert first.readers == ('A', 'B') and first.point_readers == ['A', 'A']
    assert second.readers == ('A', ) and second.points == []


def test_a_class_to_rename_must_be_there(read, tmp_path):
    table = 'image,x,y,class\na.png,1,2,fx\nb.png,3,4,other\n'
    with pytest.raises(ValueError, match="--rename: 'fxx' is not in the source, which has 'fx', 'o"):
        read(table, rename=dict(fxx='fracture'))
    with pytest.raises(ValueError, match="--rename: 'fx' is not in the source, which has none"):
        read('image,x,y\na.png,,\n', rename=dict(fx='fracture'))
    assert not (tmp_path / 'out').exists()
    report, _ = read(table, rename=dict(fx='fracture'), classes=('fracture', ))
    assert report.classes == dict(fracture=1)


def test_names_after_a_blank_are_those_without(read, tmp_path):
    read('image,x,y,class,Sex,Age,Name\na.png,1,2,fx,F,60,E\nb.png,3,4,other,M,50,M\n')
    cli.main([*f'import {tmp_path}/a.csv --images {tmp_path}/images --out {tmp_path}/out'.split(),
              '--fields', 'Sex, Age', '--classes', 'other, fx'])
    point_file = read_point_file(tmp_path / 'out' / 'points.json')
    assert point_file.classes == ('other', 'fx')
    assert [record.fields for record in point_file.records] == [dict(Sex='F', Age='60'),
                                                                dict(Sex='M', Age='50')]
