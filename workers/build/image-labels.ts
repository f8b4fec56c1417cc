/**
 * Marks on images we build. A container inherits its image's labels, so none of these may be one that marks what a
 * cluster's engine made; and the commit is not among them: an unchanged context must give an unchanged digest.
 */
export const IMAGE_LABELS = {
  installation: 'windlass.dev/built-by',
  pipeline: 'windlass.dev/built-pipeline',
  image: 'windlass.dev/built-image',
};
