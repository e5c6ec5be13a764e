"""Save and load estimators in files that contain data and no code."""

from skcoldstart.persistence._model_file import load_model, save_model

__all__ = ["load_model", "save_model"]
