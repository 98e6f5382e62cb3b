"""The descriptions of panels in Chinese, which follow the English ones. Titles stay English, like metrics' names."""

_OPERATOR = "数据来自 operator。"
_NO_ROLLOUT = "没有进行中的发布时为空。"
_BACKEND = "Empty without a backend, as of the engines `upstream` and `triton`."
_NO_BACKEND = "没有后端时为空；引擎 `upstream` 和 `triton` 才有后端。"

CHINESE = {
    # Service
    "Pods that can serve. From the operator's metrics.": f"可以提供服务的 Pod 数。{_OPERATOR}",
    "Speech requests per second.": "每秒语音请求数。",
    "Share of the speech requests that were answered with 5xx, except 503, which means too busy.": (
        "返回 5xx 的语音请求占比，不含表示繁忙的 503。"
    ),
    "95 % of the speech requests are answered within this time.": "95 % 的语音请求在这个时间内完成。",
    "95 % of the speech requests have their first audio by then.": "95 % 的语音请求在这个时间内收到首段音频。",
    "Thread time for a second of audio. Above 1, one thread cannot keep up with a listener.": (
        "合成一秒音频所用的线程时间（实时率）。大于 1 时，单个线程跟不上播放。"
    ),
    "Share of the synthesis threads in use.": "合成线程的占用率。",
    "Share of the requests that needed no synthesis of their own.": "不需要单独合成的请求占比。",
    "Speech requests per second. 429: a quota or too many requests; 503: too busy.": (
        "每秒语音请求数。429：超出配额或请求过多；503：繁忙。"
    ),
    "Share of the speech requests. Errors are 5xx except 503; refused are 429 and 503.": (
        "占语音请求的比例。errors 为除 503 外的 5xx，refused 为 429 和 503。"
    ),
    "From a speech request's headers to the end of its response; of streams, to the end of the stream.": (
        "从收到请求头到响应结束；流式响应算到流结束。"
    ),
    "From a speech request's headers to its first audio.": "从收到请求头到首段音频。",
    "P95 of the time to the first audio, by what the cache had.": "首段音频时间的 P95，按缓存命中情况区分。",
    "Speech requests rejected per second, by the code of the error. Empty while none is rejected.": (
        "每秒被拒绝的语音请求，按错误码区分。没有拒绝时为空。"
    ),
    "Speech responses per second that broke off after they had begun, by the code of the error.": (
        "每秒在开始之后中断的语音响应，按错误码区分。"
    ),
    "All requests per second, with probes and pages.": "每秒全部请求，包括探针和页面。",
    "Open connections of `/v1/audio/speech/stream`.": "`/v1/audio/speech/stream` 的连接数。",
    "Tasks that ended, per second, by result. Empty until one has ended.": (
        "每秒结束的任务，按结果区分。第一个任务结束前为空。"
    ),
    "Thread time for a second of audio: the mean, and of sentences.": (
        "合成一秒音频所用的线程时间：总体均值和各句分布。"
    ),
    "Share of the synthesis threads in use, by pod. Near 1, requests wait.": (
        "各 Pod 合成线程的占用率。接近 1 时请求开始排队。"
    ),
    "Seconds of audio per second: synthesized, and delivered from synthesis and caches together.": (
        "每秒产生的音频秒数：合成的，以及（连同缓存）交付给客户端的。"
    ),
    "Estimated time to finish all admitted work, by pod. Above `TTS_QUEUE_SECONDS`, requests get 503.": (
        "各 Pod 完成已接收请求的预计时间。超过 `TTS_QUEUE_SECONDS` 时返回 503。"
    ),
    "Sentences that wait for a thread, by pod.": "各 Pod 等待线程的句子数。",
    "From the admission of a text until a thread starts on it.": "从接收文本到线程开始合成的时间。",
    "Lookups per second. Coalesced: requests that joined the synthesis of the same text.": (
        "每秒缓存查询数。coalesced：与正在合成的相同文本合并的请求。"
    ),
    "Memory of the cached audio, by pod.": "各 Pod 缓存音频占用的内存。",
    "Operations of the shared cache and of quotas per second, by result. Empty without `server.cache.redis`.": (
        "共享缓存和配额每秒的操作数，按结果区分。未配置 `server.cache.redis` 时为空。"
    ),
    f"1 for each pod whose backend can speak; otherwise, its circuit breaker is open. {_BACKEND}": (
        f"各 Pod 的后端能合成时为 1，否则表示熔断器已断开。{_NO_BACKEND}"
    ),
    f"Sentences per second that the backend was asked for, by outcome. {_BACKEND}": (
        f"每秒向后端请求的句子数，按结果区分。{_NO_BACKEND}"
    ),
    f"Sentences that the backend is speaking, by pod. At most the threads of the pod. {_BACKEND}": (
        f"各 Pod 的后端正在合成的句子数，最多为该 Pod 的线程数。{_NO_BACKEND}"
    ),
    f"From a request to the backend to the first samples of the sentence. {_BACKEND}": (
        f"从向后端发出请求到得到该句第一批采样的时间。{_NO_BACKEND}"
    ),
    f"From a request to the backend until all of the sentence is there. {_BACKEND}": (
        f"从向后端发出请求到得到整句的时间。{_NO_BACKEND}"
    ),
    "Where the pods that can serve are. From the operator's metrics. A zone is a node's label "
    "`topology.kubernetes.io/zone`.": (
        f"可以提供服务的 Pod 在各可用区的分布（节点标签 `topology.kubernetes.io/zone`）。{_OPERATOR}"
    ),
    "Pods with a loaded model, by engine, revision of the model, and version of the server.": (
        "已加载模型的 Pod 数，按引擎、模型版本和服务端版本区分。"
    ),
    "Time to load and warm the model, by pod.": "各 Pod 加载并预热模型的时间。",
    "Cores in use, by pod.": "各 Pod 占用的 CPU 核数。",
    "Resident memory of the server's process, by pod.": "各 Pod 服务端进程的常驻内存。",
    "Words in the service's lexicon, and 0 for current if a pod cannot read its newest version.": (
        "服务词典的词数；有 Pod 读不了最新词典时 current 为 0。"
    ),
    # Fleet
    "TTSServices. From the operator.": f"TTSService 的数量。{_OPERATOR}",
    "TTSServices that cannot serve now. Those with replicas: 0 do not count. From the operator.": (
        f"当前无法提供服务的 TTSService 数，副本数设为 0 的不计。{_OPERATOR}"
    ),
    "TTSServices that cannot become ready by themselves, in all namespaces. From the operator.": (
        f"无法自行恢复的 TTSService 数，统计所有命名空间。{_OPERATOR}"
    ),
    "Pods of servers that cannot serve. From the operator.": f"不能提供服务的服务端 Pod 数。{_OPERATOR}",
    "Share of the speech requests that were answered with 5xx except 503.": "返回除 503 外 5xx 的语音请求占比。",
    "Seconds of audio synthesized per second.": "每秒合成的音频秒数。",
    "Share of all synthesis threads in use.": "全部合成线程的占用率。",
    "The name leads to the service's dashboard. Ready is 0 during a rollout too. Up to zones, from the operator.": (
        "点击服务名打开它的仪表盘。发布过程中 Ready 也为 0。从 Available 到 Zones 的数据来自 operator。"
    ),
    "Speech requests per second, by service.": "各服务每秒语音请求数。",
    "Share of the speech requests that were answered with 5xx except 503, by service.": (
        "各服务返回除 503 外 5xx 的语音请求占比。"
    ),
    "Share of the speech requests that were answered with 429 or 503, by service.": (
        "各服务返回 429 或 503 的语音请求占比。"
    ),
    "Of speech requests, by service.": "各服务的语音请求。",
    "Share of the synthesis threads in use, by service.": "各服务合成线程的占用率。",
    "Of all services. From the operator.": f"全部服务。{_OPERATOR}",
    "Pods of servers, by engine and version of the server.": "服务端 Pod 数，按引擎和服务端版本区分。",
    "Thread time for a second of audio, by service.": "各服务合成一秒音频所用的线程时间。",
    # Rollouts
    "Rollouts in progress, and those that were rolled back, with the reason. From the operator.": (
        f"进行中的发布，以及已回滚的发布和原因。{_OPERATOR}"
    ),
    "Speech checks, and checks of live traffic, by result, for all services. From the operator.": (
        f"语音检查和线上流量检查的结果，统计全部服务。{_OPERATOR}"
    ),
    "Current step of the canary, counted from 1. From the operator. Empty while no rollout is in progress.": (
        f"金丝雀发布的当前步骤，从 1 开始。{_OPERATOR}{_NO_ROLLOUT}"
    ),
    "Number of steps of the canary. From the operator. Empty while no rollout is in progress.": (
        f"金丝雀发布的总步骤数。{_OPERATOR}{_NO_ROLLOUT}"
    ),
    "Share of the traffic that the new revision is to receive. From the operator. Empty while no rollout is in "
    "progress.": f"计划分给新版本的流量比例。{_OPERATOR}{_NO_ROLLOUT}",
    "Pods of the new revision that are ready. From the operator.": f"新版本就绪的 Pod 数。{_OPERATOR}",
    "Pods of the Deployment with the service's name that are ready. From the operator.": (
        f"与服务同名的 Deployment 中就绪的 Pod 数。{_OPERATOR}"
    ),
    "1 if the newest revision was rolled back. From the operator.": f"最新版本已回滚时为 1。{_OPERATOR}",
    "Share of the candidate's speech requests that were answered with 5xx except 503.": (
        "candidate 返回除 503 外 5xx 的语音请求占比。"
    ),
    "Phase of the rollout, and the reason if it was rolled back. From the operator. Empty while no rollout is in "
    "progress.": f"发布所处的阶段；已回滚时附原因。{_OPERATOR}{_NO_ROLLOUT}",
    "What the new revision is to receive (from the operator), and what the candidate's pods received.": (
        "计划分给新版本的流量（来自 operator）和 candidate Pod 实际收到的流量。"
    ),
    "Ready pods, stable and candidate. From the operator.": f"就绪的 Pod 数：stable 和 candidate。{_OPERATOR}",
    "Share of the speech requests that were answered with 5xx except 503. See `rollout.analysis`.": (
        "返回除 503 外 5xx 的语音请求占比。参见 `rollout.analysis`。"
    ),
    "Of speech requests.": "语音请求。",
    "Thread time for a second of audio, by set of pods.": "两组 Pod 合成一秒音频所用的线程时间。",
    "Speech requests per second, by revision of the model and version of the server. It also shows a rolling update, "
    "in which all pods belong to one set.": (
        "每秒语音请求数，按模型版本和服务端版本区分。滚动更新时全部 Pod 属于同一组，要看这个面板。"
    ),
    "Share of the speech requests that were answered with 5xx except 503, by revision of the model.": (
        "返回除 503 外 5xx 的语音请求占比，按模型版本区分。"
    ),
    # Jobs
    "About the thread time of the tasks that wait in Kafka or are in progress. Empty without Kafka.": (
        "Kafka 中等待和处理中的任务大约需要的线程时间。不使用 Kafka 时为空。"
    ),
    "Segments of jobs that no thread has taken yet.": "还没有线程领取的任务分段数。",
    "Jobs that were completed in the period shown.": "所示时段内完成的任务数。",
    "Jobs that failed in the period shown. Their status says why.": "所示时段内失败的任务数，原因见任务状态。",
    "Tasks in the period shown that could not read or write the storage. They are tried again.": (
        "所示时段内读写存储失败的次数，会自动重试。"
    ),
    "Workers that have loaded their model. Without Kafka, servers speak jobs, and this counts them.": (
        "已加载模型的 worker 数。不使用 Kafka 时任务由服务端处理，这里统计服务端。"
    ),
    "About the thread time of the tasks that wait in Kafka or are in progress: what the workers are scaled by. Empty "
    "without Kafka.": "Kafka 中等待和处理中的任务大约需要的线程时间，worker 按它伸缩。不使用 Kafka 时为空。",
    "Segments that no thread has taken yet, by pod.": "各 Pod 还没有线程领取的分段数。",
    "Segments made, and found because they had been made before. Per minute.": (
        "每分钟合成的分段（made）和此前已合成、直接取用的分段（found）。"
    ),
    "Jobs that ended, by outcome. Per minute.": "每分钟结束的任务，按结果区分。",
    "Tasks that could not read or write the storage, by pod. Per minute.": "各 Pod 每分钟读写存储失败的次数。",
    "Seconds of audio that workers made per second. Without Kafka, of the servers.": (
        "worker 每秒合成的音频秒数。不使用 Kafka 时为服务端。"
    ),
    "By zone and readiness. From the operator. Empty without Kafka.": (
        f"按可用区和就绪状态区分。{_OPERATOR}不使用 Kafka 时为空。"
    ),
    "Share of the synthesis threads in use, of servers and workers together, and by job.": (
        "合成线程的占用率：服务端和 worker 合计，以及各自的占用率。"
    ),
    # Cost
    "CPU of all servers and workers for an hour of synthesized audio, with all that they do besides.": (
        "每合成一小时音频，全部服务端和 worker 用掉的 CPU 核秒数，包括合成以外的开销。"
    ),
    "The same for an hour of audio that clients received. Caches make it less.": (
        "每交付一小时音频用掉的核秒数，有缓存时更少。"
    ),
    "Length of the audio that clients received.": "交付给客户端的音频时长。",
    "Share of the delivered audio that needed no synthesis.": "交付的音频中不需要合成的占比。",
    "Share of the synthesis threads in use now. What is low all day can be scaled down.": (
        "合成线程当前的占用率。整天都低，说明可以缩容。"
    ),
    "Pods of servers and workers now.": "当前服务端和 worker 的 Pod 数。",
    "CPU of each service's servers and of its workers for an hour of synthesized audio.": (
        "各服务的服务端和 worker 每合成一小时音频用掉的核秒数。"
    ),
    "Cores in use.": "占用的 CPU 核数。",
    "Resident memory of servers and workers.": "服务端和 worker 的常驻内存。",
    "What runs, busy or not.": "正在运行的 Pod 数，不论忙闲。",
    "Share of the synthesis threads in use. The rest waits for requests.": "合成线程的占用率，其余线程在等请求。",
    "Seconds of audio per second: synthesized and delivered.": "每秒合成和交付的音频秒数。",
    "By the name of the API key, for the period shown. The CPU is that of the service, shared by the length of the "
    "audio. `anonymous`: without keys; `operator`: the operator's speech checks.": (
        "所示时段内的用量，按 API key 的名字统计。CPU 按音频时长分摊。"
        "`anonymous`：未启用 key；`operator`：operator 的语音检查。"
    ),
    "Seconds of audio delivered per second, by the name of the API key.": "每秒交付的音频秒数，按 API key 的名字统计。",
    "Characters spoken per second, by the name of the API key.": "每秒合成的字符数，按 API key 的名字统计。",
    # Operator
    "Replicas that write: 1. For a few seconds after a leader was lost, 0.": (
        "负责写入的副本数，正常为 1；leader 丢失后的几秒内为 0。"
    ),
    "Replicas that Prometheus sees.": "Prometheus 采集到的副本数。",
    "TTSServices that it looks after.": "operator 管理的 TTSService 数。",
    "TTSServices that cannot serve now. Those with replicas: 0 do not count.": (
        "当前无法提供服务的 TTSService 数，副本数设为 0 的不计。"
    ),
    "TTSServices that cannot become ready by themselves.": "无法自行恢复的 TTSService 数。",
    "How long the first TTSService has been waiting for a worker.": "队首的 TTSService 已等待的时间。",
    "Nodes with pods of TTSServices that do not answer.": "有 TTSService 的 Pod 且没有响应的节点数。",
    "Pods that get no traffic because their node does not respond.": "因节点失联而不再接收流量的 Pod 数。",
    "Of one reconcile of one TTSService.": "单个 TTSService 一次调和的耗时。",
    "Reconciles per second. retry: an error that may go away; error: a bug or a refusal.": (
        "每秒调和次数。retry：可能自行消失的错误；error：缺陷或被拒绝。"
    ),
    "Failed reconciles per second, by the error's name. Empty while none has failed.": (
        "每秒失败的调和次数，按错误名区分。没有失败时为空。"
    ),
    "TTSServices that wait for a worker, by lane.": "各队列中等待处理的 TTSService 数。",
    "How long the first one of each lane has been waiting.": "各队列队首已等待的时间。",
    "TTSServices by condition and status.": "TTSService 数，按 condition 和状态区分。",
    "Per second, without those of kopf, which watches the TTSServices.": (
        "每秒 API 请求数，不含监听 TTSService 的 kopf。"
    ),
    "Per second. Code 0 means no response.": "每秒 API 请求数。状态码 0 表示没有响应。",
    "Time until the API server answered, by verb; of a watch, until it was established.": (
        "API server 的响应时间，按操作区分；watch 算到建立连接为止。"
    ),
    "Lists and watches that failed and were started again, by resource.": "失败后重启的 list 和 watch，按资源区分。",
    "Speech checks, and checks of live traffic, by result.": "语音检查和线上流量检查的结果。",
    "1 on the replica that writes.": "负责写入的副本为 1。",
    "Nodes with pods of TTSServices, as each replica sees them. Unknown: never answered this replica.": (
        "各副本看到的、有 TTSService 的 Pod 的节点。Unknown：从未响应过该副本。"
    ),
    "Pods taken out of their Services, and put back.": "移出 Service 和重新加入 Service 的 Pod。",
    "Cores in use, by replica.": "各副本占用的 CPU 核数。",
    "Resident memory, by replica.": "各副本的常驻内存。",
    "Replicas by version of the operator.": "各 operator 版本的副本数。",
}
"""By the English description."""
