"""Fields of a second table, by image and by patient; numbers are told apart by them."""
import json

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import OutputSettings, import_annotations

CLICKS = 'image,x,y,patient,view\na.png,3,4,p1,front\nsub/b.png,,,p1,side\nc.png,5,6,p2,front\n'


@pytest.fixture
def folder(tmp_path):
    """Three images of two patients, and their annotations."""
    for name in ('a.png', 'sub/b.png', 'c.png'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50), 128, np.uint8)).save(path)
    (tmp_path / 'clicks.csv').write_text(CLICKS, encoding='utf-8')
    return tmp_path


@pytest.fixture
def read(folder):
    """Import with a second table; return the report and the fields of each image."""
    def read(table, fields=('sex', 'age'), by=None, source='clicks.csv', **output):
        (folder / 'more.csv').write_text(table, encoding='utf-8')
        report = import_annotations(
            folder / source, folder / 'out', folder / 'images',
            ImportOptions(table=folder / 'more.csv', table_by=by),
            AssemblySettings(fields=fields), copy=OutputSettings(**output))
        records = read_point_file(report.path).records
        return report, {record.file_name: record.fields for record in records}
    return read


def test_fields_by_patient(read):
    report, fields = read('patient;Name;sex;age\np1;Erika;F;60-79\np2;Max;M;\np9;Eva;F;18-39\n')
    assert fields == {'a.png': dict(sex='F', age='60-79'), 'sub/b.png': dict(sex='F', age='60-79'),
                      'c.png': dict(sex='M')}  # an empty cell is no field; no name is taken
    assert report.counts == {'patients of ' + str(report.path.parents[1] / 'more.csv')
                             + ' of which there is no image': 1}
    assert any('1 patient of ' in line for line in report.lines())


def test_fields_by_image_in_any_writing_of_its_name(read):
    report, fields = read('sex,file\nF,b\nM,X:\\old\\a.png\nM,gone.png\nF,b\n', ('sex', 'view'))
    assert fields == {'a.png': dict(sex='M', view='front'), 'sub/b.png': dict(sex='F', view='side'),
                      'c.png': dict(view='front')}
    assert sorted(report.counts.values()) == [1, 1]


@pytest.mark.parametrize('by', ['patient=Case', 'image=Case'])
def test_the_column_can_be_named(read, by):
    table = ('image,Case,sex\nz,p1,F\nz,p2,M\n' if 'patient' in by
             else 'patient,Case,sex\np1,a.png,F\np1,c.png,M\n')
    assert read(table, ('sex', ), by)[1]['c.png'] == dict(sex='M')


def test_patients_of_dicom_files_are_found_and_stay_numbers(dicom, dicom_folder, tmp_path):
    report = dicom.save(dicom.report(dicom.library('IM0', 'sub/IM1', 'IM2'), measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))]), tmp_path / 'report.dcm')
    table = tmp_path / 'patients.csv'
    table.write_text(f'PatientID,name,device\n{dicom.ID}-0,{dicom.NAME},A\n{dicom.ID}-1,x,B\n',
                     encoding='utf-8')
    result = import_annotations(report, tmp_path / 'out', dicom_folder,
                                ImportOptions(table=table), AssemblySettings(fields=('device', )))
    records = {record.file_name: record for record in read_point_file(result.path).records}
    assert {name: (record.group, record.fields['device']) for name, record in records.items()} == {
        'IM0': ('1', 'A'), 'sub/IM1': ('1', 'A'), 'IM2': ('2', 'B')}
    text = result.path.read_text(encoding='utf-8') + '\n'.join(result.lines())
    assert dicom.ID not in text and 'Mustermann' not in text


def test_anonymous_images_have_the_fields_that_are_named(read):
    _, fields = read('patient,sex\np1,F\np2,M\n', ('sex', ), copy=True, anonymous_names=True)
    assert [value for _, value in sorted(fields.items())] == [dict(sex='F'), dict(sex='F'),
                                                              dict(sex='M')]


def test_words_for_missing_values_are_no_fields(read):
    _, fields = read('Patient ID,sex,age\np1,NA,#N/A\np2,F,n/a\n')
    assert [values.get('sex') for values in fields.values()] == [None, None, 'F']
    assert not any('age' in values for values in fields.values())


def test_negative_images_alone_have_fields(read, folder):
    (folder / 'none.csv').write_text('image,x,y\na.png,,\n', encoding='utf-8')
    assert read('image,sex\na.png,F\n', ('sex', ), source='none.csv')[1] == {'a.png': dict(sex='F')}


@pytest.mark.parametrize('table, options, words', [
    ('patient,sex\np1,F\np1,M\n', {},
     'more.csv: line 3: sex of its patient is .M., but .F. in line 2'),
    ('image,sex\na.png,F\nimages/a.png,M\n', {},
     'more.csv: line 3: .images/a.png. is the image a.png'),
    ('image,view\na.png,back\n', dict(fields=('view', )),
     'more.csv: line 2: view of a.png is .back., but .front. in the annotations'),
    ('patient,sex\n,F\n', {}, 'more.csv: line 2: it names no patient'),
    ('patient,sex\np1\n', {}, 'more.csv: line 2 has 1 column, the first line has 2'),
    ('patient,sex\nq1,F\n', {}, 'more.csv: none of its 1 patient is among'),
    ('patient,sex\n', {}, 'more.csv: none of its 0 patients is among'),
    ('', {}, 'more.csv: the table is empty'), ('case,sex\np1,F\n', {}, 'names image or patient'),
    ('case,sex\np1,F\n', dict(by='patient'), 'more.csv: no column of it names patient'),
    ('case,sex\np1,F\n', dict(by='patient=Case'), "there is no column 'Case'; there are case, sex"),
    ('patient,sex\np1,F\n', dict(by='row'), "--table-by is 'row'; image or patient"),
    ('patient,sex,sex\np1,F,M\n', {}, "the column 'sex' is there twice"),
    ('patient,sex\np1,F\n', dict(fields=('sex', 'agee')),
     "--fields: 'agee' is no field of .*clicks.csv"
     ' or .*more.csv; there are view, sex'),
    ('patient,sex,width\np1,F,3\n', dict(fields=('width', )), "--fields: 'width' is no field"),
    ('patient,sex\np1,F\n', dict(fields=None),
     '--table .*more.csv: name the columns .* patient, sex')])
def test_bad_tables_are_one_line_and_write_nothing(read, folder, table, options, words):
    options = {'fields': ('sex', ), **options}
    with pytest.raises(ValueError, match=words) as error:
        read(table, **options)
    assert len(str(error.value).splitlines()) == 1 and not (folder / 'out').exists()


def test_a_field_that_is_nowhere_is_an_error_without_a_table_too(folder):
    with pytest.raises(ValueError, match="--fields: 'sex' is no field of .*clicks.csv; .* view"):
        import_annotations(folder / 'clicks.csv', folder / 'out', folder / 'images', None,
                           AssemblySettings(fields=('sex', )))
    import_annotations(folder / 'clicks.csv', folder / 'out', folder / 'images', None,
                       AssemblySettings(fields=('view', )))
    images = json.loads((folder / 'out' / 'points.json').read_text(encoding='utf-8'))['images']
    assert [image['view'] for image in images] == ['front', 'side', 'front']
