"""What each detector is for, in plain words, and the reasons it gives: the catalogue's second half."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Purpose(NamedTuple):
    """`text`, `text_zh`: what it is for; `reasons`: every code its alerts may carry, and what that means."""

    text: str
    text_zh: str
    reasons: Mapping[str, str]


PURPOSES: dict[str, Purpose] = {
    "default": Purpose(
        "For a measured quantity of which nobody has said what is normal. Four questions are put to each "
        "reading: is it usual at this hour, has the level moved, has the course of the last minutes been "
        "seen before, does it lie outside all that was seen? The answers are weighed against this "
        "channel's own past.",
        "用于无人说明何为正常的测量量。对每个读数问四件事：这一钟点是否常见、水平是否移动、最近几分钟的走势"
        "是否出现过、是否超出见过的范围；再按该通道自身的历史衡量答案。",
        {
            "unlike_day": "not what this hour of the day brings",
            "level_moved": "the level has moved within minutes",
            "new_shape": "the last frames are unlike all that are remembered",
            "new_extreme": "outside everything seen before",
        },
    ),
    "limit": Purpose(
        "For what a norm, a maker or a person has drawn a line for: not above, not below.",
        "用于标准、厂家或人员已划定界线的量：不得高于或低于。",
        {
            "above_limit": "above the upper limit",
            "below_limit": "below the lower limit",
        },
    ),
    "dwell": Purpose(
        "As `limit`, where a short excursion does no harm: a freezer's door is opened, a fan starts.",
        "与 limit 相同，但短暂越限无妨：如冷柜开门、风机启动。",
        {
            "dwelt": "beyond the limit for longer than `for_s`",
        },
    ),
    "rate": Purpose(
        "For what may have any value but must not change fast: heat near a fire, a level in a shaft.",
        "用于数值可任意但不应变化过快的量：火源附近的温度、井内水位。",
        {
            "rate": "rises or falls faster than allowed",
        },
    ),
    "flat_line": Purpose(
        "For a reading that always moves a little: where it stands still, the sensor hangs.",
        "用于总会有微小变化的读数：一动不动说明传感器卡死。",
        {
            "flat": "no change beyond `tolerance` for `for_s`",
        },
    ),
    "absence": Purpose(
        "For a channel that must report: speaks when nothing has come for `after_s`.",
        "用于必须定时上报的通道：超过 after_s 没有读数即告警。",
        {
            "silent": "no reading for longer than `after_s`",
        },
    ),
    "state_duration": Purpose(
        "For a door, a valve, a pump that must not stay in one state for longer than somebody has said.",
        "用于不得在某一状态停留过久的门、阀、泵；时长由人设定。",
        {
            "held": "in the state for longer than `longest_s`",
        },
    ),
    "usual_duration": Purpose(
        "As `state_duration`, where nobody can say how long: it learns how long the state lasts, by time "
        "of day.",
        "与 state_duration 相同，但无人能说明多久算久：按一天中的时段学习该状态通常持续多久。",
        {
            "lasted": "the state has lasted longer than nearly all that began at such a time of day",
        },
    ),
    "fault": Purpose(
        "For the equipment instead of the quantity: stuck, jumping, drifting, silent, talking in another "
        "unit. Its alerts are for maintenance and start no task for a hazard.",
        "针对设备而非被测量：卡死、跳变、漂移、失联、单位改变。其告警交维护处理，不生成险情任务。",
        {
            "spike": "single readings that nothing in nature does",
            "dropout": "missing numbers, or a value that stands for none",
            "out_of_range": "beyond what the sensor can measure",
            "unit_jump": "the same quantity in another unit",
            "stuck": "stands still for longer than this channel ever rests",
            "erratic": "jumps to and fro",
            "silent": "no reading, when its pace says one was due",
            "drift": "creeps away in one direction",
        },
    ),
    "quiet": Purpose(
        "For signs of life: nobody got up, no tap ran, where by now somebody always has. Nights count "
        "little.",
        "用于生活迹象：到这个时候通常已有人起床、用水，却毫无动静。夜间权重很小。",
        {
            "too_quiet": "no sign of life, though several should have come by now",
        },
    ),
    "counts": Purpose(
        "For events that are counted: people through a door, rides of a lift, calls. Too many or too few "
        "for this half hour of such a day.",
        "用于可计数的事件：进出人次、电梯运行、来电；与同类日子同一半小时相比过多或过少。",
        {
            "too_many": "more events than usual now",
            "too_few": "fewer events than usual now",
        },
    ),
    "ewma": Purpose(
        "For a quick jump of a calm quantity: the reading is far from the mean of the last hours.",
        "用于平稳量的突然跳变：读数远离最近几小时的均值。",
        {
            "unexpected": "far from the expected value",
        },
    ),
    "cusum": Purpose(
        "For a small shift that lasts: no single reading is strange, but they lie on one side for long.",
        "用于持续的小幅偏移：单个读数并不异常，但长时间偏在一侧。",
        {
            "shifted": "a small shift in one direction, added up",
        },
    ),
    "robust": Purpose(
        "For single wild readings in a quantity with bursts: bursts and tails move neither centre nor "
        "spread.",
        "用于有阵发波动的量中的个别离群读数：阵发与长尾不影响中心与离散度。",
        {
            "outlying": "far from the median of the window, in median distances",
        },
    ),
    "level_shift": Purpose(
        "For a step to another level that stays: a pump that runs all the time, a filter that has come off.",
        "用于移到另一水平并停留：水泵不停运转、滤网脱落。",
        {
            "level_up": "the window's mean lies above that before",
            "level_down": "it lies below",
        },
    ),
    "variance": Purpose(
        "For a channel that begins to rattle, or goes dead quiet, whatever its level: a worn bearing, a "
        "stopped fan.",
        "用于起伏突然变大或归于平静的通道，与水平无关：轴承磨损、风机停转。",
        {
            "restless": "varies more than usual",
            "gone_still": "varies less than usual",
        },
    ),
    "slope": Purpose(
        "For a steady rise or fall over hours that is steeper than usual: a slow leak, a freezer that "
        "warms up.",
        "用于数小时内比平时更陡的持续升降：慢性泄漏、冷柜升温。",
        {
            "trend_up": "rises for hours, steeper than usual",
            "trend_down": "falls for hours, steeper than usual",
        },
    ),
    "time_of_day": Purpose(
        "For what every day repeats: each half hour of the day has its own usual value.",
        "用于每天重复的规律：一天中每个半小时各有其通常值。",
        {
            "unexpected": "far from what this half hour brings",
        },
    ),
    "season": Purpose(
        "As `time_of_day`, where working days, weekends and holidays differ: each kind of day has its own "
        "pattern.",
        "与 time_of_day 相同，但工作日、周末与节假日各有规律。",
        {
            "unexpected": "far from what this half hour of such a day brings",
        },
    ),
    "half_space_trees": Purpose(
        "For values with their changes that are rarely seen together. A peer from the literature, to "
        "compare with.",
        "用于少见的数值与变化组合。取自文献的同类方法，供比较。",
        {
            "rare_pattern": "falls where few readings ever fell",
        },
    ),
    "discord": Purpose(
        "For a course that was not seen before, whatever its level and size: a machine's cycle that went "
        "wrong.",
        "用于未曾出现过的走势，与水平和幅度无关：机器的某个周期出了错。",
        {
            "unlike_shape": "no earlier stretch had a shape like this",
        },
    ),
    "nearest": Purpose(
        "For readings unlike all moments that are remembered, by value: a state the channel has not been in.",
        "用于与所有记住的时刻数值都不相似的读数：该通道从未处于的状态。",
        {
            "unlike_past": "far from the most similar moments",
        },
    ),
    "river": Purpose(
        "For comparison: the detectors of the library river behind the same face. It runs in the lab and "
        "in tests where river is installed, never on a gateway.",
        "供比较：以同样的接口运行 river 库的检测器。仅在装有 river 的实验与测试环境运行，不用于网关。",
        {
            "unlike_model": "strange to river's model",
        },
    ),
    "room": Purpose(
        "For readings of one room that usually go together: one alone leaves what the others let expect.",
        "用于同一房间中通常同步变化的读数：其中一个偏离了其他读数所预示的值。",
        {
            "unlike_room": "not what the other readings let expect",
            "beside": "another channel with a part in it",
        },
    ),
}
