"""The week of a small service, from the first log to lists over HTTP.

``python week.py FOLDER`` expects in the folder ``monday.parquet`` and ``week.parquet``
(user_id, item_id), and ``audio``, whose files are named by item. The code between the
lines is all that a service writes.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.chdir(sys.argv[1])
PORT = sys.argv[2] if len(sys.argv) > 2 else "8765"

# --------------------------------------------------------------------------------------
import skcoldstart as sk
from skcoldstart.datasets import load_catalog, plays_from_events

# Monday: the first log, sound, and a model. Songs without plays are the new ones.
catalog = load_catalog(plays_from_events("monday.parquet"), audio="audio")
songs, new = catalog.item_ids, catalog.is_new
frames = sk.MFCCExtractor().fit_transform(catalog.paths)
X = sk.FramePooling().fit_transform(frames)
model = sk.ColdStartRecommender(factorizer=sk.WMF(16, random_state=0))
model.fit(X[~new], catalog.plays[~new], item_ids=songs[~new])
lists = sk.recommend(model, X[new], n=5, item_ids=songs[new])
lists.to_parquet("for_listeners.parquet")
sk.listeners(model, X[new], n=5, item_ids=songs[new]).to_parquet("for_songs.parquet")

# Friday: first plays refine the new songs.
users = model.user_names_in_
week = plays_from_events("week.parquet", items=songs[new], users=users).plays
factors = model.item_factors(X[new], week)
known = {"item_factors": factors, "exclude": week, "item_ids": songs[new]}
sk.recommend(model, None, n=5, **known).to_parquet("refined.parquet")

# Every night: all plays so far, also by users who came since.
log = plays_from_events(["monday.parquet", "week.parquet"], items=songs)
model.partial_fit(X, log.plays, item_ids=songs)

# A new listener, and the model for the server.
pat = model.fold_in_users([[3], [1]], item_ids=songs[:2])
hers = sk.recommend(model, X, n=5, users=["pat"], user_factors=pat, item_ids=songs)
sk.export(model, "model", item_ids=songs)
sk.save_model(model, "model/model.safetensors")
server = subprocess.Popen([sys.executable, HERE / "server.py", "model", "--port", PORT])
# --------------------------------------------------------------------------------------

try:
    while server.poll() is None:
        try:
            address = f"http://127.0.0.1:{PORT}/users/{log.user_ids[-1]}/songs?n=3"
            with urllib.request.urlopen(address) as answer:
                served = json.load(answer)
            break
        except urllib.error.URLError:
            time.sleep(0.1)
finally:
    server.terminate()
    server.wait()
print(
    json.dumps({
        "lists": len(lists.user_ids),
        "pat": len(hers.to_frame()),
        "served": served,
    })
)
