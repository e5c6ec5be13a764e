"""A synthetic music world, its frames, and the paper's systems measured on it."""

from dataclasses import dataclass
from functools import cached_property

import joblib
import paper
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    RandomRecommender,
    VectorQuantizer,
)
from skcoldstart._utils.paths import atomic_path
from skcoldstart.datasets import make_music_catalog

WORLDS = {
    "small": {"n_songs": 400, "n_artists": 80, "n_users": 600, "n_songs_per_user": 20},
    "medium": {
        "n_songs": 1500,
        "n_artists": 300,
        "n_users": 2000,
        "n_songs_per_user": 30,
    },
    # Songs and listeners of the paper's Table 2, in clips of a window each.
    "paper": {
        "n_songs": 9330,
        "n_artists": 1866,
        "n_users": 20_000,
        "n_songs_per_user": 50,
        "duration_s": 3.0,
    },
}
DURATION_S = 10.0  # where a world does not say
TEST_SHARE = 0.2  # 1,881 of 9,330 songs in the paper's Table 2
N_FACTORS = 50  # as in Table 2
N_CODEWORDS = 500  # the paper's 4,000 are for ten times as many longer clips
N_TAGS = 50
TAG_KINDS = ("audible", "inaudible")
REG = 10.0
NET = {
    "n_filters": (32, 32, 64, 64),
    "hidden": (256,),
    "batch_norm": True,
    "lr": 1e-3,
    "lr_schedule": "cosine",
    "patience": None,
}
PASSES = {
    "small": {"batch_size": 16, "max_epochs": 60},
    "medium": {"batch_size": 32, "max_epochs": 30},
    "paper": {"batch_size": 128, "max_epochs": 20},
}
PERCEPTRON = {
    "hidden_layer_sizes": (1000,),
    "alpha": 10.0,
    "learning_rate_init": 3e-3,
    "max_iter": 60,
}
RIDGE = 1000.0
METRIC = {"C": 10.0, "metric": "cosine"}


@dataclass
class World:
    """A synthetic catalogue with its frames, computed once, and results so far."""

    size: str
    seed: int
    catalog: object
    mfcc: object
    mel: object
    record: paper.Record

    @classmethod
    def make(cls, size, seed, out):
        """Make a world, or read the one that was made before."""
        folder = out / f"{size}-{seed}"
        settings = {
            "duration_s": DURATION_S,
            **WORLDS[size],
            "n_factors": N_FACTORS,
            "n_codewords": N_CODEWORDS,
            "reg": REG,
            "net": {**NET, **PASSES[size]},
            "perceptron": PERCEPTRON,
            "metric": METRIC,
            "ridge": RIDGE,
            "logistic": paper.LOGISTIC_CS,
        }
        record = paper.Record(folder, settings)
        path = folder / "world.joblib"
        if path.exists():
            made, *parts = joblib.load(path)
            if made == record.settings:
                return cls(size, seed, *parts, record)
        print(f"  {folder.name}: rendering songs", flush=True)
        catalog = make_music_catalog(
            **{"duration_s": DURATION_S} | WORLDS[size], random_state=seed
        )
        waveforms = catalog.pop("waveforms")
        mfcc = MFCCExtractor().fit_transform(waveforms)
        mel = MelSpectrogram(dtype="float16").fit_transform(waveforms)
        with atomic_path(path) as written:
            joblib.dump((record.settings, catalog, mfcc, mel), written)
        return cls(size, seed, catalog, mfcc, mel, record)

    @property
    def names(self):
        """Artist and title of each song."""
        return [
            f"{artist}: {title}"
            for artist, title in zip(
                self.catalog.artists, self.catalog.titles, strict=True
            )
        ]

    def factorizer(self):
        """Return the factorization that all systems share."""
        return WMF(N_FACTORS, reg=REG, random_state=self.seed)

    def split(self, kind):
        """Return the songs to learn from and those held out."""
        return paper.hold_out(kind, self.catalog.artists, TEST_SHARE, self.seed)

    def system(self, name, kind):
        """Return the figures of a system on the held-out songs of a split."""
        return self.record.get((kind, name), self._measure, name, kind)

    def factors(self, name, kind):
        """Return the item and user factors of a system, of all songs."""
        self.system(name, kind)
        arrays = self.record.arrays((kind, name))
        return arrays["items"], arrays["users"]

    def _measure(self, name, kind):
        train, test = self.split(kind)
        model, content = self._systems[name]
        params = {}
        if name.startswith("CNN") and kind == "artist":
            params["groups"] = self.catalog.artists[train]
        return paper.rank_held_out(
            model, content, self.catalog.plays, train, test, **params
        )

    @cached_property
    def _systems(self):
        """The systems of Tables 2 and 3, each with what it reads."""
        wmf, seed = self.factorizer(), self.seed

        def words(model):
            return make_pipeline(*bag_of_words(seed), model), self.mfcc

        def net(objective):
            cnn = CNNFactorRegressor(
                objective=objective,
                device="cpu",
                random_state=seed,
                **NET,
                **PASSES[self.size],
            )
            return ColdStartRecommender(cnn, wmf), self.mel

        perceptron = MLPRegressor(random_state=seed, **PERCEPTRON)
        return {
            "random": (RandomRecommender(random_state=seed), self.mfcc),
            "MLR": words(MLRSimilarity(random_state=seed, **METRIC)),
            "linear regression": words(ColdStartRecommender(LinearRegression(), wmf)),
            "ridge regression": words(ColdStartRecommender(Ridge(RIDGE), wmf)),
            "MLP": words(ColdStartRecommender(perceptron, wmf)),
            "CNN, MSE": net("mse"),
            "CNN, WPE": net("wpe"),
            "upper bound": (OracleRecommender(wmf), self.catalog.plays),
        }

    def tag_prediction(self, kind):
        """Return mean AUCs by content: of all tags, and by whether audio tells them."""
        catalog = self.catalog
        chosen = paper.most_used(catalog.item_tags, N_TAGS)
        tags, is_audible = catalog.item_tags[:, chosen], catalog.tag_is_audible[chosen]
        contents = {
            "audio": (bag_of_words(self.seed), self.mfcc),
            "WMF factors": ((self.factorizer(), StandardScaler()), self.catalog.plays),
        }

        def measure(name):
            steps, content = contents[name]
            aucs = paper.tag_auc(steps, content, tags, catalog.artists, kind, self.seed)
            return {
                "AUC": float(aucs.mean()),
                "audible": float(aucs[is_audible].mean()),
                "inaudible": float(aucs[~is_audible].mean()),
                "tags": len(aucs),
            }

        return {
            name: self.record.get(("tags", kind, name), measure, name)
            for name in contents
        }


def bag_of_words(seed):
    """Return the steps from MFCC frames to the paper's content features."""
    return (
        VectorQuantizer(N_CODEWORDS, max_frames=50_000, random_state=seed),
        BagOfWords(N_CODEWORDS),
        StandardScaler(),
        PCA(0.95),
    )
