// A thread that only says that it has what was published: the machine's own share of a reload, for bench reload.
import { workerData } from 'node:worker_threads'
import { openLiveText } from '../../runtime/live-text.js'

const live = openLiveText(workerData as SharedArrayBuffer)
live.onChange(() => live.applied(live.version()))
live.applied(live.version())
// The wait for a change does not keep a thread alive.
setInterval(() => undefined, 60_000)
