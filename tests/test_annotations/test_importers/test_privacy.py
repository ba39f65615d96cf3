"""Names, dates and ids of patients: in nothing that is written, unless an option asks for it."""
import csv
import json
import logging
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mmwindow.annotations.exporters import EXPORTERS
from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import (
    OutputSettings,
    export_annotations,
    images_folder,
    import_annotations,
)
from mmwindow.images.file_check import check_image_files, describe_problems

ROOT = Path(__file__).parents[3]
ANONYMOUS = OutputSettings(copy=True, anonymous_names=True)
# Every name and number that the images, their file names, tables and reports hold.
SECRETS = ('mustermann', 'erika', 'pat-4711', '19630207', '20240229', '101500', 'acc-815', 'arzt',
           'station7', 'befund.csv', '1.2.826.0.1.3680043')


@pytest.fixture
def hospital(dicom, tmp_path):
    """A folder of images under names of patients, and a table with such columns."""
    folder = tmp_path / 'Station7 Mustermann'
    rows = [['image', 'x', 'y', 'PatientName', 'StudyDate', 'side']]
    for number in range(12):
        name = f'Mustermann^Erika {number}_19630207'
        if number % 3 == 2:  # what a scanner's software writes into a PNG
            note = PngImagePlugin.PngInfo()
            note.add_text('Patient', 'Mustermann^Erika, PAT-4711')
            exif = Image.Exif()
            exif[0x010e], exif[0x0112] = 'Mustermann 19630207', 6
            pixels = np.random.default_rng(number).integers(0, 255, (40, 50)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f'{name}.png', pnginfo=note, exif=exif)
            name = f'{name}.png'
        else:
            dicom.save(dicom.image(name, patient=f'PAT-4711-{number}'), folder / name)
        rows.append([name, *((20, 12.5) if number % 2 else ('', '')), 'Mustermann^Erika', '20240229',
                     'L'])
    with open(folder / 'Befund.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows(rows)
    return folder


def find_secrets(folder, secrets=SECRETS):
    """Return which secrets are in names or contents of files below a folder."""
    found = set()
    for path in folder.rglob('*'):
        content = path.relative_to(folder).as_posix().lower().encode()
        if path.is_file():
            content += b'\n' + path.read_bytes().lower()
        found.update(secret for secret in secrets if secret.encode() in content
                     or secret.encode('utf-16-le') in content)
    return found


def import_and_export(hospital, out):
    """Import without names, print as the command does, check the images and export to all tools."""
    report = import_annotations(hospital / 'Befund.csv', out, copy=ANONYMOUS,
                                settings=AssemblySettings(fields=('side', )))
    print('\n'.join(report.lines()))
    assert (report.num_images, report.num_positives, report.num_groups) == (12, 6, 8)
    for name in EXPORTERS:
        export_annotations(report.path, out / 'export' / name, name)
    records = read_point_file(report.path).records
    assert not describe_problems(check_image_files(records, images_folder(report.path)).problems)
    return report.path


def check_nobody_is_named(out, capfd, caplog):
    assert not find_secrets(out)
    texts = (caplog.text + ''.join(capfd.readouterr())).lower()
    assert texts and not [secret for secret in SECRETS if secret in texts]


def test_an_anonymous_import_and_its_exports_name_nobody(hospital, tmp_path, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    assert find_secrets(hospital) >= set(SECRETS) - {'befund.csv', 'station7'}
    import_and_export(hospital, tmp_path / 'out')
    assert len([path for path in (tmp_path / 'out').rglob('*') if path.is_file()]) == 17
    check_nobody_is_named(tmp_path / 'out', capfd, caplog)


@pytest.mark.long
def test_a_training_and_test_on_an_anonymous_import_name_nobody(hospital, tmp_path, capfd, caplog):
    """Training, test, pictures, results: every file that is written is read."""
    pytest.importorskip('mmdet', reason='mmdet is not installed')
    from mmwindow.apis import test as evaluate
    from mmwindow.apis import train
    from mmwindow.apis.evaluate_files import evaluate_files
    from mmwindow.datasets.splits import write_splits
    caplog.set_level(logging.DEBUG)
    out = tmp_path / 'out'
    points = import_and_export(hospital, out)
    write_splits(points, out / 'annotations', None)
    options = {'input_size': 64, 'data_root': f'{out}/', 'train_dataloader.batch_size': 4,
               'train_cfg.max_epochs': 1, 'model.backbone.init_cfg': None,
               'default_hooks.checkpoint.save_best': None,
               'visualizer.vis_backends': [dict(type='LocalVisBackend')]}
    for split in ('train', 'val', 'test'):
        options |= {f'{split}_dataloader.num_workers': 0,
                    f'{split}_dataloader.persistent_workers': False}
    config = ROOT / 'configs/windowloss/wl_kld_lite0_fpn.py'
    train(config, work_dir=out / 'run', cfg_options=options)
    evaluate(config, out / 'run' / 'epoch_1.pth', work_dir=out / 'test', cfg_options=options,
             out=out / 'test' / 'predictions.npz', show_dir=out / 'test' / 'pictures')
    evaluate_files(out / 'test' / 'predictions.npz', out / 'annotations' / 'test.json',
                   out / 'results', progress=False)
    written = [path for path in out.rglob('*') if path.is_file()]
    assert len(written) > 30 and {'.pth', '.log', '.csv', '.npz', '.png', '.md'} <= {
        path.suffix for path in written}
    check_nobody_is_named(out, capfd, caplog)


def test_what_a_dicom_file_says_of_its_patient_stays_there(dicom, dicom_folder, tmp_path, capfd):
    """Without the option file names are kept, and numbers stand for patients."""
    (tmp_path / 'a.csv').write_text('image,x,y\nIM0,1,2\nsub/IM1,3,4\nIM2,,\n')
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', dicom_folder)
    print('\n'.join(report.lines()))
    first, second, third = read_point_file(report.path).records
    assert [record.group for record in (first, second, third)] == ['1', '1', '2']
    assert first.fields == dict(modality='DX', laterality='L', view='AP', pixel_spacing=.15,
                                pixel_spacing_at='detector')
    for name in EXPORTERS:
        path = tmp_path / 'out' / name
        export_annotations(report.path, path, name)
        again = import_annotations(path, tmp_path / 'out' / 'again', dicom_folder, format_name=name)
        assert [record.points for record in read_point_file(again.path).records] == [
            [(1, 2)], [(3, 4)], []]
    assert not find_secrets(tmp_path / 'out')
    assert not [secret for secret in SECRETS if secret in ''.join(capfd.readouterr()).lower()]


def test_identifiers_are_kept_where_it_is_asked_for(dicom, dicom_folder, tmp_path):
    (tmp_path / 'a.csv').write_text('image,x,y\nIM0,1,2\nIM2,,\n')
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', dicom_folder,
                                settings=AssemblySettings(keep_ids=True))
    assert [record.group for record in read_point_file(report.path).records] == [
        'PAT-4711-0', 'PAT-4711-1']


def read_groups(path):
    return [record.group for record in read_point_file(path).records]


def test_whose_patients_count(dicom, dicom_folder, tmp_path):
    (tmp_path / 'a.csv').write_text('image,x,y,patient\nIM0,1,2,anna\nsub/IM1,3,4,\nIM2,,,otto\n')
    for settings, groups in (
            (AssemblySettings(), ['anna', None, 'otto']),  # the source names some: it is asked alone
            (AssemblySettings(patients_from='dicom'), ['1', '1', '2']),
            (AssemblySettings(patients_from='none'), [None, None, None])):
        report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', dicom_folder,
                                    settings=settings)
        assert read_groups(report.path) == groups
    (tmp_path / 'a.csv').write_text('image,x,y\nIM0,1,2\nsub/IM1,3,4\nIM2,,\n')
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', dicom_folder,
                                settings=AssemblySettings(patient_pattern='(IM[01])$'))
    assert read_groups(report.path) == ['IM0', 'IM1', None]
    assert 'do not fit --patients' in ''.join(report.counts)


def test_equal_ids_of_two_hospitals_and_files_without_an_id(dicom, tmp_path):
    folder = tmp_path / 'images'
    for name, elements in dict(a=dict(IssuerOfPatientID='A'), b=dict(IssuerOfPatientID='B'),
                               c=dict(PatientID=''), d=dict(PatientID='None'),
                               e=dict(PatientID='', StudyInstanceUID='1.2.3'),
                               f=dict(IssuerOfPatientID='A')).items():
        dicom.save(dicom.image(name, **elements), folder / name)
    (tmp_path / 'a.csv').write_text('image,x,y\n' + ''.join(f'{name},,\n' for name in 'abcdef'))
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', folder)
    assert read_groups(report.path) == ['1', '2', '3', '3', '4', '1']
    assert report.counts['images whose DICOM file names no patient (those of one study are kept '
                         'together)'] == 3
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out', folder,
                                settings=AssemblySettings(keep_ids=True))
    assert read_groups(report.path) == ['PAT-4711 (A)', 'PAT-4711 (B)', 'unnamed 3', 'unnamed 3',
                                        'unnamed 4', 'PAT-4711 (A)']


def test_one_patient_in_all_files_is_said(dicom, tmp_path):
    """As after an anonymisation that gave each file the same id."""
    for name in 'ab':
        dicom.save(dicom.image(name), tmp_path / 'images' / name)
    (tmp_path / 'a.csv').write_text('image,x,y\na,,\nb,,\n')
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out')
    assert read_groups(report.path) == ['1', '1'] and 'made anonymous' in ''.join(report.counts)


def test_text_in_the_pixels_is_said(dicom, tmp_path):
    dicom.save(dicom.image('a', BurnedInAnnotation='YES'), tmp_path / 'images' / 'a')
    (tmp_path / 'a.csv').write_text('image,x,y\na,,\n')
    report = import_annotations(tmp_path / 'a.csv', tmp_path / 'out')
    assert 'pixels show text about the patient' in ''.join(report.counts)


def test_pixels_under_new_names_are_those_that_training_reads(hospital, tmp_path):
    from mmwindow.images.decode import read_image
    table = tmp_path / 'private' / 'names.csv'
    report = import_annotations(hospital / 'Befund.csv', tmp_path / 'out', copy=OutputSettings(
        copy=True, anonymous_names=True, names_table=table))
    rows = list(csv.reader(table.open(newline='')))
    assert rows[0] == ['old', 'new'] and len(rows) == 13
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    for old, new in rows[1:]:
        before, after = read_image(hospital / old), read_image(tmp_path / 'out' / 'images' / new)
        assert np.array_equal(before.to_8_bit(), after.to_8_bit())
        assert after.orientation == 1
    record = read_point_file(report.path).records[1]
    assert record.file_name == '000002.png' and record.points == [(20, 12.5)]
    assert 'PatientName' not in record.fields and record.fields['laterality'] == 'L'
    assert not report.turned and not find_secrets(tmp_path / 'out')


def test_16_bit_pixels_whose_depth_is_open_stay_as_they_are(tmp_path):
    (tmp_path / 'images').mkdir()
    pixels = (np.arange(2000).reshape(40, 50) * 2).astype(np.uint16)  # 12 bits in 16
    Image.fromarray(pixels).save(tmp_path / 'images' / 'Mustermann.png')
    (tmp_path / 'a.csv').write_text('image,x,y\nMustermann.png,1,2\n')
    import_annotations(tmp_path / 'a.csv', tmp_path / 'out', copy=ANONYMOUS)
    with Image.open(tmp_path / 'out' / 'images' / '000001.png') as image:
        assert np.array_equal(np.array(image), pixels)


def test_what_does_not_fit_together(hospital, tmp_path):
    source = hospital / 'Befund.csv'
    for output, words in (
            (OutputSettings(anonymous_names=True), 'add --copy'),
            (OutputSettings(copy=True, names_table=tmp_path / 'a.csv'), 'add --anonymous-names'),
            (OutputSettings(True, True, tmp_path / 'out' / 'a.csv'), 'write it elsewhere')):
        with pytest.raises(ValueError, match=words):
            import_annotations(source, tmp_path / 'out', copy=output)
        assert not (tmp_path / 'out').exists()
    report = import_annotations(source, tmp_path / 'out', copy=True)
    assert 'DICOM files copied as they are' in ''.join(report.counts)
    with pytest.raises(ValueError, match='files of other names in it'):
        import_annotations(source, tmp_path / 'out', copy=ANONYMOUS)


def test_a_report_of_anonymous_images_is_matched_and_names_nobody(dicom, dicom_folder, tmp_path):
    content = dicom.report(dicom.library('IM0', 'IM2'), observer='Arzt^A', measurements=[
        dicom.group(dicom.finding(), dicom.scoord('POINT', [1, 2]))])
    content.PatientName, content.PatientID = dicom.NAME, dicom.ID
    dicom.save(content, tmp_path / 'Mustermann.dcm')
    report = import_annotations(tmp_path / 'Mustermann.dcm', tmp_path / 'out', dicom_folder,
                                ImportOptions(), copy=ANONYMOUS)
    assert report.num_images == 2 and not find_secrets(tmp_path / 'out')
    assert 'source' not in json.loads(report.path.read_text())['info']
