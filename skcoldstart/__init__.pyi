from skcoldstart import audio as audio
from skcoldstart import codebook as codebook
from skcoldstart import compose as compose
from skcoldstart import datasets as datasets
from skcoldstart import factorization as factorization
from skcoldstart import inspection as inspection
from skcoldstart import metrics as metrics
from skcoldstart import model_selection as model_selection
from skcoldstart import neural as neural
from skcoldstart import persistence as persistence
from skcoldstart import serving as serving
from skcoldstart import similarity as similarity
from skcoldstart._sequences.ragged import RaggedArray as RaggedArray
from skcoldstart.audio import AudioEmbedding as AudioEmbedding
from skcoldstart.audio import FramePooling as FramePooling
from skcoldstart.audio import MelSpectrogram as MelSpectrogram
from skcoldstart.audio import MFCCExtractor as MFCCExtractor
from skcoldstart.codebook import BagOfWords as BagOfWords
from skcoldstart.codebook import VectorQuantizer as VectorQuantizer
from skcoldstart.compose import ColdStartRecommender as ColdStartRecommender
from skcoldstart.compose import ContentKNNRecommender as ContentKNNRecommender
from skcoldstart.compose import ContentProfileRecommender as ContentProfileRecommender
from skcoldstart.compose import OracleRecommender as OracleRecommender
from skcoldstart.compose import PopularityRecommender as PopularityRecommender
from skcoldstart.compose import RandomRecommender as RandomRecommender
from skcoldstart.factorization import WMF as WMF
from skcoldstart.factorization import FactorTargetEncoder as FactorTargetEncoder
from skcoldstart.metrics import make_recommendation_scorer as make_recommendation_scorer
from skcoldstart.metrics import recommendation_scorer as recommendation_scorer
from skcoldstart.neural import CNNFactorRegressor as CNNFactorRegressor
from skcoldstart.persistence import load_model as load_model
from skcoldstart.persistence import save_model as save_model
from skcoldstart.serving import listeners as listeners
from skcoldstart.serving import recommend as recommend
from skcoldstart.similarity import MLRSimilarity as MLRSimilarity

__version__: str
__all__: list[str]
