// The module that every worker thread runs: one piscina task hosts one group of actors until it is stopped.
import { takeKernelModule } from '../kernel/kernel.js'
import { type GroupTask, hostGroup } from '../runtime/group-host.js'
import { registry } from './registry.js'

export default (task: GroupTask): Promise<void> => {
  if (task.kernel !== undefined) takeKernelModule(task.kernel)
  return hostGroup(task, registry)
}
