"""For DeepLabCut: the pose of a session as its table, in `*.h5` and `*.csv`."""

from collections.abc import Callable
from pathlib import Path

from pandas import DataFrame, MultiIndex

from analysis.exports.stored_frames import refuse_unfinished
from analysis.exports.whole_files import folder_of, whole_files
from analysis.replay.recorded import body_parts_of, pose_of
from rig.errors import SettingsError
from rig.files.reader import STREAM_FILE, Session
from rig.files.rows import ROWS_FILE

KEY = "df_with_missing"  # under which DeepLabCut keeps its table
LEVELS = ("scorer", "bodyparts", "coords")


def write(session: Session, out: Path, progress: Callable[[float], None]) -> list[Path]:
    """Write the pose of a session as DeepLabCut does, into a folder `dlc`: NAME_OF_THE_MOVIE + SCORER, .h5 and .csv.

    Parameters
    ----------
    session : Session
    out : Path
        The session's own folder, or one for many sessions.
    progress : callable
        Is given the share that has been done, 0 to 1.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    SettingsError
        No pose was logged, or the session has not been finished.
    RigError
        The files cannot be written.
    """
    refuse_unfinished(session)
    scorer = scorer_of(session)
    table = table_of(session, scorer)
    name = Path(session.settings.get("video_file") or STREAM_FILE).stem + scorer
    with whole_files(folder_of(session, out, "dlc")) as files:
        table.to_hdf(files.part(f"{name}.h5"), key=KEY, mode="w", format="table")
        progress(0.5)
        table.to_csv(files.part(f"{name}.csv"))
        progress(1)
    return files.written


def scorer_of(session: Session) -> str:
    """Return what found the body parts: the model's name, or that they were simulated."""
    settings = session.settings
    model = "simulated" if settings.get("pose") == "simulated" else Path(settings.get("dlc_model_path", "")).stem
    return f"DLC_{model or 'unknown'}"


def table_of(session: Session, scorer: str) -> DataFrame:
    """Return DeepLabCut's table: a row per stored frame, from 0; columns scorer, body part, and x, y (px), likelihood.

    Raises
    ------
    SettingsError
        No pose was logged.
    """
    body_parts = body_parts_of(session)
    if not body_parts:
        raise SettingsError(
            f"{session.folder}: no pose was logged: {ROWS_FILE} is missing, or has no columns PART_x, PART_y, "
            "PART_likelihood, as those of CLMF have"
        )
    columns = MultiIndex.from_product([[scorer], body_parts, ["x", "y", "likelihood"]], names=LEVELS)
    return DataFrame(pose_of(session).reshape(len(session), -1), columns=columns)
