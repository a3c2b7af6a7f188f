"""A made-up configuration that is written as the original CLoPy writes its own, and where the real one lies."""

from support.places import SHARED

REAL = SHARED / "data" / "original" / "config.ini"

SITES = '{"M1": {"ML": 2.0, "AP": 0.5}, "BC": {"ML": 3.0, "AP": -1.5}}'
CAMERA = "resolution = 128, 128\nframerate = 15\nawb_mode = off\niso = 800\nsensor_mode = 7\n"
CORTEX = f"dff_history = 6\nppmm = 12.8\nbregma = 67, 64\nseeds_mm = {SITES}\nroi_size = 0.3,0.3\n"
SUMMARY = "summary_file = made_up.csv\nsummary_header = mouse_id, session, start, fps, rewards, audio, session_type\n"
MADE_UP = f"""\
[configsection]
config = one_roi_with_fixed_rests

[raspicambrain_reward_punish_1roi]
vid_source = PiCameraStream
data_root = /media/lab/data/
{CAMERA}shutter_speed = 60000
{CORTEX}roi = M1_L
audio = 1
n_tones = 18
audio_delay = 0
reward_delay = 1
reward_threshold = 0.04
adaptive_threshold = 1
spont_sess_duration = 2
total_trials = 2
max_trial_dur = 8
success_rest_dur = 2
fail_rest_dur = 3
initial_rest_dur = 7
{SUMMARY}m1_l = 60,20,10,10
bc_r = 90,90,10,10

[one_roi_with_fixed_rests]
vid_source = PiCameraStream
data_root = /media/lab/data/
{CAMERA}shutter_speed = 600000
{CORTEX}roi = BC_L
dff_range = -0.05,0.05
var_threshold = 3
audio = 1
n_tones = 10
reward_threshold = 0.04
adaptive_threshold = 0
total_trials = 2
trial_duration = 8
rest_duration = 4
{SUMMARY}bc_l = 1,1,10,10

[raspicambrain_reward_punish_2roi]
vid_source = EpixCameraStream
formatfile = /home/lab/made_up.fmt
data_root = /media/lab/data/
{CAMERA}{CORTEX}roi_operation = BC_L %% BC_R
audio = 1
n_tones = 18
audio_delay = 0
reward_delay = 1
reward_threshold = 0.04
adaptive_threshold = 0
total_trials = 2
max_trial_dur = 8
success_rest_dur = 2
fail_rest_dur = 3
initial_rest_dur = 7
{SUMMARY}bc_l = 5,81,4,4

[two_rois_by_hand]
vid_source = PiCameraStream
data_root = /media/lab/data/
{CAMERA}dff_history = 6
roi1 = 20,30,6,6
roi1color = 100,0,100
roi2 = 90,30,6,6
roi2color = 100,0,255
roi3 = 10,10,6,6
roi_operation = roi1-roi2
audio = 1
n_tones = 10
reward_threshold = 0.04
sessionduration = 1
{SUMMARY}
[two_rois_without_a_rule]
vid_source = VideoStream
data_root = /media/lab/data/
{CAMERA}roi_names = roi1,roi2
roi1 = 20,30,6,6
roi1color = 0,100,0
roi2 = 90,30,6,6
roi2color = 0,255,0
reward_threshold = 0.04
sessionduration = 2

[movement]
vid_source = PiCameraStream
data_root = /media/lab/data/
{CAMERA}moghistory = 15
roi = 78,92,13,10
reward_threshold = 50

[only_a_camera]
vid_source = PiCameraStream
data_root = /media/lab/data/
resolution = 512, 256
framerate = 30
awb_mode = auto

[sentech_dlclive]
dlc_model_path = /media/lab/made_up_model/
vid_source = SentechCameraStream
data_root = /media/lab/data/
video_file = made_up.mp4
offline_video_file = old.mp4
resolution = 320, 160
framerate = 30
awb_mode = off
joint_history_sec = 2
ppmm = 1.75
control_point = fl_l
start_center = 295,55
start_radius_mm = 4
target_center = 295,40
target_radius_mm = 6
speed_threshold = 4
audio = 1
n_tones = 18
start_freq = 1000
audio_delay = 0
reward_delay = 1
reward_threshold_mm = 5
adaptive_threshold = 0
total_trials = 1
max_trial_dur = 6
success_rest_dur = 2
fail_rest_dur = 3
initial_rest_dur = 3
summary_file = made_up_paws.csv
summary_header = mouse_id, session, start, n_tones, start_radius, target_radius, rewards, audio, session_type
start_roi = 100,100
target_roi = 100,80
"""
