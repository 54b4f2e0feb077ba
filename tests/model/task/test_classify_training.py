"""Training of a classifier: it learns classes, and its integers are the reference's to the bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_classes import NAMES, make_classes
from torch.nn import functional

from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.clipping import clipped
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.coverage import coverage, described
from bitformer.model.distillation import distilled_loss
from bitformer.model.errors import UserError
from bitformer.model.export import export_run, export_to, load_run
from bitformer.model.loss_plot import baseline_line, plot_history
from bitformer.model.precision import Precision
from bitformer.model.task import TASKS
from bitformer.model.task.class_baselines import logistic_entropy
from bitformer.model.task.classify import cross_entropies
from bitformer.model.task.losses import class_loss, loss_of
from bitformer.model.task.margins import leads_by_percent, margin_for
from bitformer.model.torch_predict import predict
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

torch.set_num_threads(1)  # many workers, tiny tensors

CONFIG = TransformerConfig(
    name="c",
    task="classify",
    window=12,
    inputs=2,
    horizon=3,
    patch=4,
    d_model=8,
    ffn=16,
    default=Precision(weights=4, activations=8),
)
QUICK = {"epochs": 6, "qat_epochs": 2, "progress": False, "device": "cpu", "batch": 16}


@pytest.fixture(scope="module")
def dataset():
    return make_classes()


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(CONFIG, dataset, run_dir=folder, **QUICK)


def test_it_learns_classes(run, dataset):
    model = export_run(run.run_dir)
    answers = reference.predict(model, dataset.test.x).ravel()
    assert np.mean(answers == dataset.test.label) > 0.9
    assert run.quantized_val < 0.4 < np.log(3)  # that of knowing nothing
    assert all(one["val"] >= run.float_val for one in run.history if one["stage"] == "float")


def test_integers_are_those_of_torch_in_every_tensor(run, dataset):
    for reject in (0.0, 0.2):
        model = export_run(run.run_dir, reject=reject)
        network = load_run(run.run_dir)[0]
        network.margin = model.decision.margin
        x, trace = dataset.test.x, {}
        with torch.no_grad():
            scores = network(torch.from_numpy(np.array(x)), trace)
        values = reference.run(model, model.quantize_input(x))
        assert set(trace) == set(values)
        assert all(np.array_equal(trace[name].numpy(), values[name]) for name in values)
        assert (values["answer"] == 3).any() == (reject > 0)
        unit = 2.0**model.results.exponent
        assert np.array_equal(values["output"][:, 0] * unit, scores.numpy())


def test_errors_are_cross_entropies(run, dataset):
    network = load_run(run.run_dir)[0]
    for part, found in ((dataset.val, run.quantized_val), (dataset.test, run.quantized_test)):
        scores = torch.from_numpy(predict(network, part.x))
        entropy = functional.cross_entropy(scores, torch.from_numpy(part.label))
        assert found == pytest.approx(float(entropy), rel=1e-12)
        own = cross_entropies(scores.numpy(), part.label)
        assert own.mean() == pytest.approx(float(entropy), rel=1e-12)


def test_cross_entropies_of_huge_scores_are_numbers():
    assert cross_entropies(np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([0, 0])).tolist() == [
        0,
        2e4,
    ]


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_loss_is_torchs(weights, share):
    torch.manual_seed(0)
    scores, taught = torch.randn(40, 3), torch.randn(40, 3)
    labels = torch.randint(0, 3, (40,))
    each = None if weights is None else torch.tensor(weights)
    target = labels.float()[:, None]
    plain = functional.cross_entropy(scores, labels, weight=each)
    assert float(class_loss(scores, target, None, share, each)) == pytest.approx(float(plain))
    soft = -(taught.softmax(1) * scores.log_softmax(1)).sum(1)
    soft = soft.mean() if each is None else (soft * each[labels]).sum() / each[labels].sum()
    found = class_loss(scores, target, taught, share, each)
    assert float(found) == pytest.approx(float((1 - share) * plain + share * soft))
    assert float(found) == float(loss_of("classify", scores, target, taught, share, each))


def test_the_loss_of_a_forecast_is_what_it_was():
    torch.manual_seed(0)
    outputs, target, taught = torch.randn(3, 8, 5).unbind()
    for teacher in (None, taught):
        ours = loss_of("forecast", outputs, target, teacher, 0.3)
        assert torch.equal(ours, distilled_loss(outputs, target, teacher, 0.3))


def test_a_rare_class_counts_as_much_as_others(dataset):
    label = dataset.train.label
    rare = np.concatenate([np.flatnonzero(label != 2), np.flatnonzero(label == 2)[:7]])
    uneven = replace(dataset, train=dataset.train.take(rare))
    weights = TASKS["classify"].class_weights(uneven, "balanced")
    counts = np.bincount(uneven.train.label)
    assert counts[2] == 7
    assert (weights * counts).tolist() == pytest.approx([len(rare) / 3] * 3)
    assert TASKS["classify"].class_weights(uneven, None) is None
    assert TASKS["forecast"].class_weights(uneven, None) is None
    settings = TrainSettings(class_weights="balanced").fitted(len(rare))
    trainer = Trainer(CONFIG, uneven, settings, torch.device("cpu"))
    batch = torch.arange(len(rare) - 9, len(rare))  # two of another class, seven of the rare one
    scores = torch.randn(9, 3)
    labels = torch.from_numpy(uneven.train.label[-9:])
    expected = functional.cross_entropy(scores, labels, weight=torch.tensor(weights).float())
    assert float(trainer.loss(scores, trainer.draw(batch))) == pytest.approx(float(expected))
    assert float(expected) != pytest.approx(float(functional.cross_entropy(scores, labels)))


def test_distillation_follows_the_float_models_scores(dataset, tmp_path):
    found = train(CONFIG, dataset, run_dir=tmp_path, distill=0.5, class_weights="balanced", **QUICK)
    assert found.quantized_val < 0.4
    assert found.settings["class_weights"] == "balanced"


@pytest.mark.parametrize(
    "changes",
    [{"subtract_last": True, "linear_path": True}, {"pooling": "mean", "norm": "batch"}],
    ids=str,
)
def test_other_shapes_are_as_exact(dataset, tmp_path, changes):
    config = CONFIG.replace(**changes)
    train(config, dataset, run_dir=tmp_path, **QUICK | {"epochs": 2, "qat_epochs": 1})
    network, model = load_run(tmp_path)[0], export_run(tmp_path)
    trace = {}
    with torch.no_grad():
        network(torch.from_numpy(np.array(dataset.test.x)), trace)
    values = reference.run(model, model.quantize_input(dataset.test.x))
    assert all(np.array_equal(trace[name].numpy(), values[name]) for name in values)


def test_scores_have_the_scale_that_they_need(run):
    network = load_run(run.run_dir)[0]
    assert "output" not in network.activations.fixed
    forecaster = TransformerConfig(**vars(CONFIG) | {"task": "forecast"})
    assert "output" in type(network)(forecaster).activations.fixed


def test_a_model_has_the_names_of_its_classes(run, dataset, tmp_path):
    export_to(run.run_dir, tmp_path / "m.safetensors")
    model = load_model(tmp_path / "m.safetensors")
    assert model.meta["classes"] == list(NAMES[:3])
    assert "intervals" not in model.meta or model.meta["intervals"] == []
    assert model.decision.margin == 0


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_share_of_validation_windows_is_rejected(run, dataset, share):
    model = export_run(run.run_dir, reject=share)
    val = reference.predict(model, dataset.val.x).ravel()
    assert 0 < np.mean(val == 3) <= share
    # one step more would reject more than that
    margin = model.decision.margin
    scores = reference.run(model, model.quantize_input(dataset.val.x))["output"][:, 0]
    second, first = np.sort(scores, axis=1)[:, -2:].T
    assert np.mean(first - second < margin + 1) > share
    assert export_run(run.run_dir).decision.margin == 0


def test_leads_by_hand():
    scores = np.array([[0, 4], [9, 1], [3, 3], [1, 2]])  # lead by 4, 8, 0, 1
    leads = leads_by_percent(scores)
    assert [leads[p] for p in (0, 24, 25, 49, 50, 74, 75, 99)] == [0, 0, 1, 1, 4, 4, 8, 8]
    assert [margin_for(share, leads) for share in (0, 0.25, 0.29, 0.75, 0.99)] == [0, 1, 1, 8, 8]


@pytest.mark.parametrize("share", [-0.1, 1, 1.0, "much", True])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UserError, match=r"^reject must be a share of windows from 0 to below 1, n"):
        margin_for(share, [0] * 100)


def test_a_forecaster_rejects_nothing(small_dataset, tmp_path):
    config = TransformerConfig(name="f", window=24, horizon=6, patch=4, d_model=8, ffn=8)
    train(config, small_dataset(), run_dir=tmp_path, **QUICK | {"epochs": 1, "qat_epochs": 1})
    with pytest.raises(
        UserError, match=r"^reject must be 0 for the run in .*, which trained no cl"
    ):
        export_run(tmp_path, reject=0.1)
    assert "leads" not in json.loads((tmp_path / "run.json").read_text())


def test_a_run_is_resumed_and_not_another(run, dataset):
    again = train(CONFIG, dataset, run_dir=run.run_dir, **QUICK)
    assert again.quantized_test == run.quantized_test
    renamed = replace(dataset, classes=("a", "b", "c"))
    with pytest.raises(UserError, match="classes"):
        train(CONFIG, renamed, run_dir=run.run_dir, **QUICK)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"task": "forecast"},
            r"^task must be classify as the data made are read, not forecast as in config c: say",
        ),
        ({"horizon": 4}, r"^horizon must be 4 as in config c, not 3$"),
        ({"window": 8}, r"^window must be 8 as in config c, not 12$"),
    ],
)
def test_a_model_that_does_not_suit_the_classes(dataset, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        train(CONFIG.replace(**changes), dataset, run_dir=tmp_path, **QUICK)


def test_class_weights_are_balanced_or_none():
    with pytest.raises(UserError, match=r"^class_weights must be balanced or left out, not 'odd'$"):
        TrainSettings(class_weights="odd")


@pytest.mark.parametrize(
    ("meta", "changes", "message"),
    [
        ({"classes": ["a", "b"]}, {}, r"^meta: classes must be 3 different names, one for each sc"),
        ({"classes": ["a", "b", "a"]}, {}, r"^meta: classes must be 3 different names, one for e"),
        (
            {"classes": ["a", "b", "c"]},
            {"task": "forecast"},
            r"^meta: classes must be named by a classifier alone, not with task forecast$",
        ),
    ],
)
def test_names_that_are_not_of_the_scores(meta, changes, message):
    from bitformer.model.meta import check_meta

    with pytest.raises(UserError, match=message):
        check_meta(meta, CONFIG.replace(**changes))


def test_the_shipped_classifier_is_one():
    assert named_config("strike-25").task == "classify"


def test_a_picture_of_a_training_has_cross_entropies(run, dataset, tmp_path):
    name, entropy = baseline_line(dataset)
    assert (name, entropy) == ("logistic regression", logistic_entropy(dataset))
    plot_history(run.history, tmp_path / "h.svg", dataset=dataset, title="made")
    text = (tmp_path / "h.svg").read_text()
    assert "cross entropy, nats" in text
    assert "logistic regression" in text
    assert baseline_line(replace(dataset, val=dataset.val.take(slice(0, 0)))) is None


def test_words_of_a_classifier_are_those_of_its_inputs(run, dataset):
    model = export_run(run.run_dir)
    assert [one.tensor for one in coverage(model, dataset)] == ["input", "input"]
    said = described(model, dataset)
    assert said.startswith("Range: x0 from ")
    assert "forecast" not in said
    x = np.array(dataset.test.x)
    x[0, 0, 0] = 1e6
    answers = reference.predict(model, x)
    assert {one.tensor for one in clipped(model, x, dataset, forecast=answers)} == {"input"}
