// tfjs-node can run ops and SavedModels; a SavedModel takes its inputs from host memory and leaves its outputs there,
// which on a GPU means the weights and all KV with every step. TensorFlow itself also runs a whole graph as one eager
// op, a function, on tensors where they are. What is missing is a way to hand it one: added here to tfjs-node's source
// before it is compiled, as an export `addFunction(name, graph, inputs, outputs)`.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const SOURCE = `// Part of KVShare: registers a GraphDef as a function that executeOp then runs by its name.
#include <string>
#include <vector>

namespace tfnodejs {

static bool GetStrings(napi_env env, napi_value array, std::vector<std::string> *out) {
  uint32_t length;
  if (napi_get_array_length(env, array, &length) != napi_ok) return false;
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    if (napi_get_element(env, array, i, &value) != napi_ok) return false;
    std::string text;
    if (GetStringParam(env, value, text) != napi_ok) return false;
    out->push_back(text);
  }
  return true;
}

// Names are NODE:INDEX.
static bool FindPorts(napi_env env, TF_Graph *graph, const std::vector<std::string> &names,
                      std::vector<TF_Output> *out) {
  for (const std::string &name : names) {
    const size_t colon = name.rfind(':');
    const char *digits = colon == std::string::npos ? "" : name.c_str() + colon + 1;
    char *end;
    const long index = strtol(digits, &end, 10);
    TF_Operation *operation = TF_GraphOperationByName(graph, name.substr(0, colon).c_str());
    if (operation == nullptr || end == digits || *end != 0 || index < 0 ||
        index >= TF_OperationNumOutputs(operation)) {
      NAPI_THROW_ERROR(env, "addFunction: the graph has no %s", name.c_str());
      return false;
    }
    out->push_back({operation, static_cast<int>(index)});
  }
  return true;
}

// addFunction(name: string, graph: Uint8Array, inputs: string[], outputs: string[])
static napi_value AddFunction(napi_env env, napi_callback_info info) {
  size_t argc = 4;
  napi_value args[4];
  napi_status nstatus = napi_get_cb_info(env, info, &argc, args, nullptr, nullptr);
  ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
  bool is_bytes = false;
  napi_typedarray_type type;
  size_t length = 0;
  void *bytes = nullptr;
  if (argc == 4) napi_is_typedarray(env, args[1], &is_bytes);
  if (is_bytes) {
    nstatus = napi_get_typedarray_info(env, args[1], &type, &length, &bytes, nullptr, nullptr);
    ENSURE_NAPI_OK_RETVAL(env, nstatus, nullptr);
    is_bytes = type == napi_uint8_array;
  }
  std::string name;
  std::vector<std::string> input_names, output_names;
  if (!is_bytes || GetStringParam(env, args[0], name) != napi_ok ||
      !GetStrings(env, args[2], &input_names) || !GetStrings(env, args[3], &output_names)) {
    if (!IsExceptionPending(env)) {
      NAPI_THROW_ERROR(env, "addFunction takes a name, a graph's bytes, inputs and outputs");
    }
    return nullptr;
  }
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;

  TF_AutoStatus tf_status;
  TF_Graph *graph = TF_NewGraph();
  TF_Buffer *buffer = TF_NewBufferFromString(bytes, length);
  TF_ImportGraphDefOptions *options = TF_NewImportGraphDefOptions();
  TF_GraphImportGraphDef(graph, buffer, options, tf_status.status);
  TF_DeleteImportGraphDefOptions(options);
  TF_DeleteBuffer(buffer);

  std::vector<TF_Output> inputs, outputs;
  if (TF_GetCode(tf_status.status) == TF_OK) {
    if (!FindPorts(env, graph, input_names, &inputs) ||
        !FindPorts(env, graph, output_names, &outputs)) {
      TF_DeleteGraph(graph);
      return nullptr;
    }
    TF_Function *function = TF_GraphToFunction(
        graph, name.c_str(), 0, -1, nullptr, inputs.size(), inputs.data(), outputs.size(),
        outputs.data(), nullptr, nullptr, nullptr, tf_status.status);
    if (TF_GetCode(tf_status.status) == TF_OK) {
      TFE_ContextAddFunction(backend->Context(), function, tf_status.status);
    }
    if (function != nullptr) TF_DeleteFunction(function);
  }
  TF_DeleteGraph(graph);
  ENSURE_TF_OK_RETVAL(env, tf_status, nullptr);
  return nullptr;
}

}  // namespace tfnodejs
`;

interface Edit {
  readonly file: string;
  /** Stands there once. */
  readonly anchor: string;
  readonly insert: string;
}

/** Each is put in front of its anchor. */
const edits: readonly Edit[] = [
  {
    file: 'tfjs_backend.h',
    anchor: ' private:\n  TFJSBackend(napi_env env);',
    insert: '  TFE_Context *Context() const { return tfe_context_; }\n\n',
  },
  {
    file: 'tfjs_binding.cc',
    anchor: '      {"getNumOfSavedModels", nullptr, GetNumOfSavedModels,',
    insert:
      '      {"addFunction", nullptr, AddFunction, nullptr, nullptr, nullptr,\n       napi_default, nullptr},\n',
  },
  {
    file: 'tfjs_binding.cc',
    anchor: '/**\n * Called by Node to cleanup our instance data,',
    insert: '}  // namespace tfnodejs\n#include "kvshare_functions.h"\nnamespace tfnodejs {\n\n',
  },
];

/** Another one with every change of what is added. */
export const graphFunctions = createHash('sha256')
  .update(JSON.stringify([SOURCE, edits]))
  .digest('hex');

/** `packageDir` holds tfjs-node's source. Throws when that is not the one this was written for. */
export async function addGraphFunctions(packageDir: string): Promise<void> {
  const folder = join(packageDir, 'binding');
  for (const { file, anchor, insert } of edits) {
    const path = join(folder, file);
    const parts = (await readFile(path, 'utf8')).split(anchor);
    if (parts.length !== 2) throw new Error(`tfjs-node's ${file} is not as expected`);
    await writeFile(path, parts.join(insert + anchor));
  }
  await writeFile(join(folder, 'kvshare_functions.h'), SOURCE);
}
