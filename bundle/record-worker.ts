// A thread of a node that is recorded: when its group has ended, what V8 compiled is kept, with what was kept before.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { GroupTask } from '../runtime/group-host.js'
import { loadWorker } from './load-worker.js'

const { RECORD_FOLDER: folder = '', RECORD_GROUP: group } = process.env

const { compiled } = loadWorker(folder, (exports) => ({
  __esModule: true,
  async default(task: GroupTask): Promise<void> {
    await (exports as typeof import('../actors/group.js')).default(task)
    if (task.group === group) writeFileSync(path.join(folder, 'worker.bundle.js.cache'), compiled())
  },
}))
