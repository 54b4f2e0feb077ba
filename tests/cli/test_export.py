"""``bitformer export`` of a model's file: one of an earlier version is renewed."""

from model_damage import assembled, taken_apart


def test_export_renews_a_file_of_version_1(bitformer, tiny, tmp_path):
    header, arrays = taken_apart(tiny.read_bytes())
    del header["digest"]
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    old.write_bytes(assembled(header | {"version": 1}, arrays))
    refused = bitformer("info", old)
    assert refused.code == 2
    assert f"'bitformer export {old} -o NEW' writes it with one" in refused.err
    said = bitformer("export", old, "-o", new)
    assert said.code == 0
    assert "has no digest: whether it is as it was saved cannot be told" in said.err
    assert new.read_bytes() == tiny.read_bytes()
    again = bitformer("export", new, "-o", tmp_path / "again.safetensors")
    assert "no digest" not in again.err
    assert (tmp_path / "again.safetensors").read_bytes() == tiny.read_bytes()
    new.write_bytes(tiny.read_bytes().replace(b"tiny", b"tinY"))
    assert "was damaged or changed since" in bitformer("export", new, "-o", tmp_path / "no").err
    assert not (tmp_path / "no").exists()
