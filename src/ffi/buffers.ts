/** Typed arrays over shared memory are as good to the library as others, which the types do not say. */
export function asBuffer(view: ArrayBufferView): BufferSource {
  return view as ArrayBufferView<ArrayBuffer>;
}
