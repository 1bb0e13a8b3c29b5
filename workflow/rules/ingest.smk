rule ingest:
    input:
        slide=slide,
        panel=ancient(panel),
    output:
        slide=directory(result("slide.zarr")),
    log:
        result("logs/ingest.log"),
    benchmark:
        result("logs/ingest.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part("channels"),
        pixel_size=pixel_size,
        section=section("ingest"),
    shell:
        "mifprofile ingest {input.slide:q} -o {params.out:q} --panel {input.panel:q} "
        "{params.pixel_size} --config {params.config:q} > {log:q} 2>&1"
