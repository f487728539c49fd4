"""The bundle: the folder that `build` writes, and its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kd_edge.base.composition import Composition
from kd_edge.base.decision import DecisionRule
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import sha256_file, stays_inside, write_text
from kd_edge.base.formats import FORMATS
from kd_edge.base.front_end import FrontEndConstants
from kd_edge.base.pixels import PixelInput
from kd_edge.base.untrusted import parse_json, read_regular
from kd_edge.frontend import check_constants
from kd_edge.pipeline.lock import LOCK_FILE
from kd_edge.pipeline.stages import STATE_FILE
from kd_edge.report.json import from_json
from kd_edge.report.tree import Report
from kd_edge.runtimes.registry import measured_here

SCHEMA_VERSION = 1
MANIFEST_FILE = "bundle.json"
RECIPE_FILE = "recipe.toml"
REPORT_FILE = "report.json"


@dataclass(frozen=True)
class BundledFormat:
    """One file of a model: a `.tflite`, or what its format says.

    Attributes:
        format: a key of `FORMATS`.
        runtimes: names of the runtimes that take it.
        notes: what its reader must know, e.g. why only one runtime takes it.
    """

    format: str
    file: str
    operators: tuple[str, ...]
    runtimes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def runtimes_here(self) -> tuple[str, ...]:
        """Of the runtimes that are measured on this machine those that take the file."""
        return measured_here(FORMATS.find(self.format), self.runtimes, self.operators)


@dataclass(frozen=True)
class BundledModel:
    """A trained model and its formats; see `Trained` for the fields.

    A student that was fine-tuned behind int8's rounding names the float student that it started
    from. A selector's role is 'selector': its classes are models, and it has no accuracy of its
    own. Of a model that came as a `.tflite` file, neither parameters nor a Keras file are known.
    """

    name: str
    role: str
    architecture: str
    parameters: int | None
    inputs: tuple[str, ...]
    keras_file: str | None
    formats: tuple[BundledFormat, ...]
    aware_of: str | None = None

    def format(self, name: str) -> BundledFormat | None:
        """The format of that name, if the bundle has it."""
        return next((f for f in self.formats if f.format == name), None)


@dataclass(frozen=True)
class BundledTeacherFile:
    """A teacher that came as a file; the file itself is not in the bundle.

    Attributes:
        file: where it lay. sha256: of what it held.
    """

    name: str
    file: str
    sha256: str

    @property
    def origin(self) -> str:
        """The file's name with its SHA-256, for people."""
        return f"{Path(self.file).name}, SHA-256 {self.sha256}"


@dataclass(frozen=True)
class JoinedTeachers:
    """Several teachers as one, as a model that learnt from them saw them.

    Attributes:
        teachers: names of those that stayed. accuracies: of each on the validation part, 0 to 1.
        method: how they join, a key of the ensembles. notes: who was left out, and why.
    """

    title: str
    teachers: tuple[str, ...]
    accuracies: tuple[float, ...]
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learned:
    """A recording that models were trained or tuned on: enough to name a leak."""

    subject: str
    session: str
    content_sha256: str
    look: str = ""


@dataclass(frozen=True)
class Manifest:
    """bundle.json: what the folder holds and what made it.

    Attributes:
        product: what ships: a student, or the name of the composition. task: what its answers mean.
        composition: the models that ship together, and their rule; None: one student ships.
        temperature: of the product's scores, fitted on the validation part; None of other tasks,
            and where models learn from that part.
        decision: what the product's scores lead to, window after window; None: each window stands
            alone.
        front_end: from samples to windows, with the fitted normaliser; None for images.
        pixels: how images become the model's input; None for recordings.
        learned: recordings of the training and validation parts.
        files: name below the folder -> SHA-256, for every file but this one.
        joined: teachers that taught together. teacher_files: those that came as files.
    """

    schema_version: int
    kd_edge: str
    title: str
    product: str
    synthetic: bool
    recipe_sha256: str
    class_names: tuple[str, ...]
    models: tuple[BundledModel, ...]
    front_end: FrontEndConstants | None
    learned: tuple[Learned, ...]
    versions: dict[str, str]
    files: dict[str, str]
    task: str = "classification"
    pixels: PixelInput | None = None
    composition: Composition | None = None
    decision: DecisionRule | None = None
    temperature: float | None = None
    joined: tuple[JoinedTeachers, ...] = ()
    teacher_files: tuple[BundledTeacherFile, ...] = ()

    def model(self, name: str) -> BundledModel:
        return next(model for model in self.models if model.name == name)

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example of each input that models may take."""
        if self.pixels is not None:
            return {self.pixels.input: self.pixels.shape}
        return {layout.name: tuple(layout.shape) for layout in self.front_end.inputs}

    @property
    def learns(self) -> bool:
        """Whether a running normaliser follows whoever wears the sensors."""
        return self.front_end is not None and self.front_end.learns

    @property
    def examples(self) -> str:
        """What they are called: 'windows' or 'images'."""
        return "windows" if self.pixels is None else "images"

    @property
    def members(self) -> tuple[BundledModel, ...]:
        """The models that ship: the product alone, or those of the composition, in its order."""
        names = self.composition.members if self.composition else (self.product,)
        return tuple(self.model(name) for name in names)

    @property
    def product_inputs(self) -> tuple[str, ...]:
        """The window inputs that the product takes, in order."""
        return tuple(dict.fromkeys(name for model in self.members for name in model.inputs))


_MANIFEST = TypeAdapter(Manifest)


def start_bundle(out: Path) -> None:
    """Prepare an output folder; a folder that holds something else is left alone.

    Raises:
        KdEdgeError KD_OUTPUT: not a folder, not writable, or not a bundle's.
    """
    if out.exists() and not out.is_dir():
        raise KdEdgeError(
            "KD_OUTPUT", f"{out} is not a folder", where=str(out), hint="name another with --out"
        )
    ours = (MANIFEST_FILE, RECIPE_FILE, STATE_FILE, LOCK_FILE)
    if out.is_dir() and any(out.iterdir()) and not any((out / name).exists() for name in ours):
        raise KdEdgeError(
            "KD_OUTPUT",
            f"{out} holds files that are no bundle's, and would be mixed with them",
            where=str(out),
            hint="name an empty or new folder with --out",
        )


def write_manifest(out: Path, manifest: Manifest, written: Iterable[str]) -> None:
    """Write bundle.json last, with the digest of every other file of the bundle.

    Args:
        written: what the build wrote: files below `out`, and folders that are the build's alone.
            Whatever else lies there is not the bundle's and not named.
    """
    found: set[Path] = set()
    for name in written:
        path = out / name
        found |= {path} if path.is_file() else {p for p in path.rglob("*") if p.is_file()}
    files = {
        path.relative_to(out).as_posix(): sha256_file(path)
        for path in sorted(found)
        if not _is_private(path.relative_to(out))
    }
    text = _MANIFEST.dump_json(replace(manifest, files=files), indent=1).decode()
    write_text(out / MANIFEST_FILE, text + "\n")


def load_manifest(folder: Path) -> Manifest:
    """Read bundle.json and check every file that it names.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BUNDLE_VERSION, KD_BUNDLE_ALTERED.
    """
    path = folder / MANIFEST_FILE
    try:
        content = read_regular(path)
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"{folder} is no finished bundle: it has no {MANIFEST_FILE} that can be read "
            f"({error.strerror})",
            where=str(path),
            hint="`kd-edge build RECIPE --out FOLDER` makes one; an interrupted build goes on",
        ) from error
    try:
        fields = parse_json(content)
        version = fields["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise altered(path, "it is not a manifest") from error
    if version != SCHEMA_VERSION:
        raise KdEdgeError(
            "KD_BUNDLE_VERSION",
            f"the bundle has schema version {version}; this kd-edge reads {SCHEMA_VERSION}",
            where=str(path),
            hint="build it again, or use the kd-edge that built it",
        )
    try:
        manifest = _MANIFEST.validate_python(fields)
    except ValidationError as error:
        raise altered(path, f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    try:
        _check(manifest)
    except ValueError as error:
        raise altered(path, str(error)) from error
    for name, digest in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise altered(file, "it is missing")
        if sha256_file(file) != digest:
            raise altered(file, "its SHA-256 differs from the manifest's")
    return manifest


def _check(manifest: Manifest) -> None:
    """Refuse a manifest whose parts do not fit together. Raises ValueError with a sentence."""
    for name in manifest.files:
        if not stays_inside(name):
            raise ValueError(f"it names {name!r}, which is no file of the folder")
    if (manifest.front_end is None) == (manifest.pixels is None):
        raise ValueError("it describes neither or both of a front end and images")
    inputs = set(manifest.input_shapes)
    for model in manifest.models:
        if not model.inputs or not inputs.issuperset(model.inputs):
            raise ValueError(f"the model {model.name!r} takes inputs that the front end lacks")
    _check_product(manifest)
    if manifest.decision is not None and manifest.decision.classes != len(manifest.class_names):
        raise ValueError("its decision rule is for another number of classes")
    classes = manifest.class_names
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError("it has fewer than two classes, or two of one name")
    if manifest.front_end is not None:
        check_constants(manifest.front_end)


def _check_product(manifest: Manifest) -> None:
    names = [model.name for model in manifest.models]
    if len(set(names)) < len(names):
        raise ValueError("two models have one name")
    composition = manifest.composition
    if composition is None and manifest.product not in names:
        raise ValueError(f"its product {manifest.product!r} is not among its models")
    if composition is not None:
        missing = set(composition.members) - set(names)
        if missing or manifest.product in names:
            raise ValueError("its composition joins models that it lacks, or is called like one")


def bundled_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """A file of a bundle, to be read: only those that the manifest names with their SHA-256.

    Raises:
        KdEdgeError KD_BUNDLE_ALTERED: it does not name it.
    """
    if name not in manifest.files:
        raise altered(folder / MANIFEST_FILE, f"it uses {name!r} without its SHA-256")
    return folder / name


def built_report(folder: Path, manifest: Manifest) -> Report:
    """The report of a bundle's build. Raises as `bundled_file` and `from_json`."""
    path = bundled_file(folder, manifest, REPORT_FILE)
    try:
        content = read_regular(path)
    except OSError as error:
        raise altered(path, str(error.strerror)) from error
    return from_json(content.decode("utf-8", "replace"), source=str(path))


def altered(path: Path, what: str) -> KdEdgeError:
    """The error for a file of a bundle that is not as it was built."""
    return KdEdgeError(
        "KD_BUNDLE_ALTERED",
        f"the bundle's {path.name} is not as it was built: {what}",
        where=str(path),
        hint="build the bundle again; figures of an altered one prove nothing",
    )


def _is_private(relative: Path) -> bool:
    """State and checkpoints, which are no part of the bundle."""
    return any(part.startswith(".") for part in relative.parts) or relative.parts[0] == "folds"
