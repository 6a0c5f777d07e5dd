// The one Vue component of the console: loads an island's module and gives it an element.
export default {
  template: "<div></div>",
  props: { module: String, options: Object },
  async mounted() {
    const island = await import(`mingwu-console/${this.module}.js`);
    this.handle = await island.mount(this.$el, this.options ?? {});
  },
  beforeUnmount() {
    this.handle?.destroy?.();
  },
};
