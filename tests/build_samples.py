"""A recipe of a few synthetic signs that builds in less than a minute."""

RECIPE = """
name = "tiny"
seed = 1
[dataset]
reader = "synthetic"
unknown_classes = ["sign 04"]
options = { n_signs = 4, n_subjects = 3, n_repetitions = 10, n_sensors = 1 }
[front_end.emg]
envelope_hz = 8.0
rate_hz = 148.148148
[front_end.acc]
[front_end.gyr]
[windows]
length_s = 2.7
steps = 10
[windows.inputs]
emg = ["emg"]
imu = ["acc", "gyr"]
[[split.test]]
name = "unseen person"
kind = "leave-one-subject-out"
held_out = ["S3"]
[[split.test]]
name = "random split"
kind = "random"
fraction = 0.2
[split.validation]
kind = "last-repetitions"
repetitions = 1
[[teachers]]
name = "emg-expert"
model = "conv-teacher"
inputs = ["emg"]
epochs = 4
batch_size = 16
[[teachers]]
name = "imu-expert"
model = "conv-teacher"
inputs = ["imu"]
epochs = 4
batch_size = 16
[[students]]
name = "student"
model = "tcn"
epochs = 30
batch_size = 16
learning_rate = 0.003
[decision]
windows = 3
reject_by = ["confidence", "distance"]
[distillation]
loss = "hinton"
temperature = 3.0
alpha = 0.5
ensemble = "mean-logits"
[conversion]
formats = ["float32", "int8"]
teacher_formats = []
calibration_windows = 16
max_drop_points = 30.0
[proof]
parity_windows = 32
min_agreement = 0.5
latency_runs = 20
baselines = ["lda"]
[firmware]
golden_vectors = 4
"""
